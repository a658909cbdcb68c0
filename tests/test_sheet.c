/* SPDX-License-Identifier: Apache-2.0 */
/* Contact sheets: the font, the page, the file; and fovea show-batch, $FOVEA_BINARY, as a whole. */
#include "testing.h"

#include "picture_testing.h"

#include "cli/font.h"
#include "cli/sheet.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { WIDTH = 120, HEIGHT = 30 };

static void blank(fv_picture *p)
{
    assert_ok(fv_picture_reserve(p, WIDTH, HEIGHT, &testing_err));
    memset(p->data, 255, WIDTH * HEIGHT * 3);
}

static const uint8_t ink[3] = { 1, 2, 3 };

/* Draws and returns the columns that have ink, as [first, last]; -1: none. */
static void draw(fv_picture *p, int x, int width, const char *text, int columns[2])
{
    columns[0] = columns[1] = -1;
    blank(p);
    fv_font_draw(p, x, 4, width, text, ink);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const bool inked = memcmp(p->data + 3 * i, ink, 3) == 0;
        assert_true(inked || p->data[3 * i] == 255);
        if (!inked) continue;
        const int column = i % WIDTH;
        if (columns[0] < 0 || column < columns[0]) columns[0] = column;
        if (column > columns[1]) columns[1] = column;
    }
}

static void test_font(void **state)
{
    (void)state;
    fv_picture p = { 0 };
    uint32_t seen[127] = { 0 };
    int columns[2];
    for (int c = '!'; c < 127; c++) {
        const char text[2] = { (char)c, '\0' };
        draw(&p, 10, 50, text, columns);
        assert_true(columns[0] >= 10 && columns[1] < 10 + 5 * FV_FONT_DOT);
        seen[c] = testing_crc32(p.data, WIDTH * HEIGHT * 3);
        for (int other = '!'; other < c; other++) assert_true(seen[other] != seen[c]);
    }
    draw(&p, 0, 50, " ", columns);
    assert_int_equal(columns[0], -1);
    fv_picture_deinit(&p);
}

static void test_text(void **state)
{
    (void)state;
    fv_picture p = { 0 }, q = { 0 };
    int columns[2];
    draw(&p, 0, 4 * FV_FONT_ADVANCE, "HHHH", columns);
    assert_int_equal(columns[1], 4 * FV_FONT_ADVANCE - FV_FONT_DOT - 1);
    draw(&p, 0, 4 * FV_FONT_ADVANCE - FV_FONT_DOT, "HHHHH", columns); /* cut off: "HH.." */
    draw(&q, 0, 100, "HH..", columns);
    assert_memory_equal(p.data, q.data, WIDTH * HEIGHT * 3);
    draw(&p, 0, 100, "\xc3\xa9\x01\xe2\x82\xac!", columns); /* one for each code point */
    draw(&q, 0, 100,
         "?"
         "?"
         "?!",
         columns);
    assert_memory_equal(p.data, q.data, WIDTH * HEIGHT * 3);
    draw(&p, WIDTH - 5, 100, "WWW", columns); /* beyond the picture's edge */
    draw(&p, 0, 3, "W", columns);
    draw(&p, 0, 0, "WWW", columns);
    assert_int_equal(columns[0], -1);
    fv_picture_deinit(&p);
    fv_picture_deinit(&q);
}

/* Every picture is found where it was put, enlarged, and the file holds what was drawn. */
static void test_sheet(void **state)
{
    (void)state;
    enum { COUNT = 5, SIDE = 64 };
    fv_picture pictures[COUNT] = { { 0 } }, read = { 0 };
    fv_sheet sheet;
    assert_ok(fv_sheet_init(&sheet, COUNT, 3, SIDE, SIDE, &testing_err));
    assert_int_equal(sheet.scale, 3);
    for (int i = 0; i < COUNT; i++) {
        char name[8];
        snprintf(name, sizeof(name), "s%d", i);
        testing_picture(&pictures[i], SIDE, SIDE, name);
        fv_sheet_put(&sheet, i, pictures[i].data, name, "");
    }
    uint8_t *bytes = NULL;
    size_t size = 0;
    assert_ok(fv_encode_png(&sheet.page, &bytes, &size, &testing_err));
    assert_ok(fv_decode(&read, bytes, size, NULL, &testing_err));
    assert_int_equal(read.width, sheet.page.width);
    assert_int_equal(read.height, sheet.page.height);
    assert_memory_equal(read.data, sheet.page.data, (size_t)(read.width * read.height) * 3);
    const int cell_width = (read.width - 8) / 3, cell_height = (read.height - 8) / 2;
    for (int i = 0; i < COUNT; i++) {
        const int left = 8 + i % 3 * cell_width, top = 8 + i / 3 * cell_height;
        for (int y = 0; y < 3 * SIDE; y++)
            for (int x = 0; x < 3 * SIDE; x++)
                assert_memory_equal(read.data + ((top + y) * read.width + left + x) * 3,
                                    pictures[i].data + (y / 3 * SIDE + x / 3) * 3, 3);
    }
    for (int i = 0; i < COUNT; i++) fv_picture_deinit(&pictures[i]);
    for (size_t n = 1; n < 4; n++) {
        uint8_t *nothing = NULL;
        fv_alloc_fail_at(n);
        const fv_status status = fv_encode_png(&sheet.page, &nothing, &size, &testing_err);
        fv_alloc_fail_at(0);
        if (status == FV_OK) fv_free(nothing);
        if (n == 1) assert_string_equal(testing_err.message, "encode png: out of memory");
    }
    fv_picture_deinit(&read);
    fv_free(bytes);
    fv_sheet_deinit(&sheet);
    assert_int_equal(fv_sheet_init(&sheet, 1024, 8, 4000, 4000, &testing_err), FV_ERR_CONFIG);
    assert_string_equal(testing_err.message, "contact sheet: 1024 pictures of 4000 x 4000 pixels "
                                             "are too many for one page");
}

/* ---- The command ---- */

static const char config[] = "Global: {seed: 3}\n"
                             "Arch: {name: MobileNetV2_x0_25, class_num: 9}\n"
                             "DataLoader:\n"
                             "  Train:\n"
                             "    dataset:\n"
                             "      cls_label_path: list.txt\n"
                             "      transform_ops:\n"
                             "      - DecodeImage:\n"
                             "      - RandCropImage: {size: 200}\n"
                             "      - ColorJitter: {brightness: 0.4}\n"
                             "      - NormalizeImage:\n"
                             "      batch_transform_ops: [MixupOperator: {alpha: 1.0}]\n"
                             "    sampler: {batch_size: 4, shuffle: True}\n"
                             "    loader: {num_workers: 2}\n";

static int fovea(const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof(command), "cd '%s' && '%s' show-batch -c a.yaml %s >out 2>err",
             testing_folder(), getenv("FOVEA_BINARY"), arguments);
    const int status = system(command);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void assert_says(const char *name, const char *part)
{
    char *said = NULL;
    size_t size;
    assert_ok(fv_file_read(testing_path(name), 1 << 16, &said, &size, &testing_err));
    if (!strstr(said, part)) fail_msg("no \"%s\" in: %s", part, said);
    fv_free(said);
}

static void test_show_batch(void **state)
{
    (void)state;
    if (!getenv("FOVEA_BINARY")) skip();
    char list[256] = "";
    for (int i = 0; i < 9; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d.jpg", i);
        testing_write_jpeg(name, 220, 210);
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s %d\n", name, i);
    }
    testing_write("list.txt", list, strlen(list));
    testing_write("a.yaml", config, strlen(config));
    assert_int_equal(fovea("--out one.png --json one.json --batch 2 --columns 2"), 0);
    assert_says("out", "one.png: 4 of the 4 pictures of batch 2, epoch 1, of DataLoader.Train\n");
    json_t *json = json_load_file(testing_path("one.json"), 0, NULL);
    const json_t *pictures = json_object_get(json, "pictures");
    assert_int_equal(json_array_size(pictures), 4);
    int mixed = 0;
    for (size_t i = 0; i < 4; i++) {
        const json_t *entry = json_array_get(pictures, i);
        const char *name = json_string_value(json_object_get(entry, "file"));
        assert_int_equal(name[0] - '0', json_integer_value(json_object_get(entry, "label")));
        mixed += json_object_get(entry, "share") != NULL;
    }
    assert_true(mixed >= 2);
    fv_picture p = { 0 };
    assert_ok(fv_decode_file(&p, testing_path("one.png"), NULL, &testing_err));
    assert_int_equal(p.width, json_integer_value(json_object_get(json, "width")));
    assert_int_equal(p.width, 8 + 2 * 208);
    fv_picture_deinit(&p);
    json_decref(json);

    /* The same again, whatever the threads; another epoch, other pictures. */
    char *bytes[3];
    size_t sizes[3];
    assert_int_equal(fovea("--out two.png --batch 2 --columns 2 --threads 1"), 0);
    assert_int_equal(fovea("--out three.png --batch 2 --columns 2 --epoch 2"), 0);
    static const char *const names[] = { "one.png", "two.png", "three.png" };
    for (int i = 0; i < 3; i++)
        assert_ok(
            fv_file_read(testing_path(names[i]), 1 << 24, &bytes[i], &sizes[i], &testing_err));
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    assert_true(sizes[0] != sizes[2] || memcmp(bytes[0], bytes[2], sizes[0]) != 0);
    for (int i = 0; i < 3; i++) fv_free(bytes[i]);
}

static void test_mistakes(void **state)
{
    (void)state;
    if (!getenv("FOVEA_BINARY")) skip();
    assert_int_equal(fovea("--batch 4"), 2);
    assert_says("err", "--batch: DataLoader.Train has 3 batches of 4, not 4");
    assert_int_equal(fovea("--eval"), 2);
    assert_says("err", "DataLoader.Eval: missing: it says where the pictures are");
    assert_int_equal(fovea("--out nowhere/a.png"), 1);
    assert_says("err", "nowhere/a.png");
    testing_write("0.jpg", "no picture", 10);
    assert_int_equal(fovea("-o DataLoader.Train.sampler.batch_size=9"), 1);
    assert_says("err", "1 of the 9 pictures could not be read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_font),     cmocka_unit_test(test_text),
        cmocka_unit_test(test_sheet),    cmocka_unit_test(test_show_batch),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
