/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sheet.h"

#include "base/compiler.h"
#include "cli/font.h"

#include <string.h>

enum {
    MARGIN = 8, /* pixels around each picture */
    GAP = 4,    /* between a picture and its text */
    TEXT = GAP + 2 * FV_FONT_LINE,
    ROOM = 192,        /* wide at least, so that text fits */
    MAX_SCALE = 8,     /* of small pictures */
    MAX_PAGE = 1 << 28 /* pixels */
};

static const uint8_t paper = 255;
static const uint8_t ink[3] = { 20, 20, 20 }, pale[3] = { 110, 110, 110 };

fv_status fv_sheet_init(fv_sheet *out, int count, int columns, int width, int height, fv_error *err)
{
    *out = (fv_sheet){ .columns = fv_min(columns, count), .width = width, .height = height };
    out->scale = fv_max(1, fv_min((ROOM + width - 1) / width, MAX_SCALE));
    const int64_t rows = (count + out->columns - 1) / out->columns;
    const int64_t page_width = (int64_t)out->columns * (width * out->scale + MARGIN) + MARGIN;
    const int64_t page_height = rows * (height * out->scale + TEXT + MARGIN) + MARGIN;
    if (page_width * page_height > MAX_PAGE) {
        return fv_fail(err, FV_ERR_CONFIG,
                       "contact sheet: %d pictures of %d x %d pixels are too many for one page",
                       count, width, height);
    }
    FV_TRY(fv_picture_reserve(&out->page, (int)page_width, (int)page_height, err));
    memset(out->page.data, paper, (size_t)page_width * (size_t)page_height * 3);
    return FV_OK;
}

void fv_sheet_deinit(fv_sheet *sheet) { fv_picture_deinit(&sheet->page); }

void fv_sheet_put(fv_sheet *sheet, int i, const uint8_t *pixels, const char *first,
                  const char *second)
{
    const int scale = sheet->scale, width = sheet->width * scale, height = sheet->height * scale;
    const int left = MARGIN + i % sheet->columns * (width + MARGIN);
    const int top = MARGIN + i / sheet->columns * (height + TEXT + MARGIN);
    for (int y = 0; y < height; y++) {
        const uint8_t *from = pixels + (size_t)(y / scale) * (size_t)sheet->width * 3;
        uint8_t *to =
            sheet->page.data + ((size_t)(top + y) * (size_t)sheet->page.width + (size_t)left) * 3;
        for (int x = 0; x < width; x++, to += 3) memcpy(to, from + (size_t)(x / scale) * 3, 3);
    }
    fv_font_draw(&sheet->page, left, top + height + GAP, width, first, ink);
    fv_font_draw(&sheet->page, left, top + height + GAP + FV_FONT_LINE, width, second, pale);
}
