/* SPDX-License-Identifier: Apache-2.0 */
#include "io/html.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* In parts: C promises no longer literals. */
static const char *const style[] = {
    ":root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b2026;--soft:#5b6672;"
    "--line:#dfe3e8;--grid:#e8ebef;--good:#1a7f4b;--bad:#c0362c;--note:#9a6700;"
    "--c0:#2f6fdb;--c1:#e0802b;--c2:#2a9d6f;--c3:#a34fc4;--c4:#d1495b;--c5:#0f9bb3;"
    "--c6:#8a7a2e;--c7:#6b7480}"
    "@media(prefers-color-scheme:dark){:root{--page:#12151a;--card:#1b1f26;--ink:#e6e9ed;"
    "--soft:#9aa5b1;--line:#2d333c;--grid:#282e36;--good:#4cc38a;--bad:#ff7b72;--note:#e0b04a;"
    "--c0:#6ea4ff;--c1:#f2a65a;--c2:#56c596;--c3:#c98be0;--c4:#f07f8d;--c5:#4fc3d9;"
    "--c6:#c9b458;--c7:#a3adb8}}",
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "main{max-width:1120px;margin:0 auto;padding:24px 16px 64px}"
    "h1{font-size:1.6rem;line-height:1.25;margin:8px 0 12px;overflow-wrap:anywhere}"
    "h2{font-size:1.2rem;margin:36px 0 8px}h3{font-size:1rem;margin:20px 0 6px}"
    "p{margin:6px 0;max-width:80ch}code,pre{font-family:ui-monospace,'DejaVu Sans Mono',monospace;"
    "font-size:.9em}pre{overflow-x:auto;padding:12px;background:var(--card);"
    "border:1px solid var(--line);border-radius:8px}.soft,figcaption{color:var(--soft)}"
    ".path{overflow-wrap:anywhere}",
    ".verdict{padding:12px 16px;border-radius:8px;border:1px solid var(--line);"
    "border-left:5px solid var(--soft);background:var(--card);max-width:none;font-weight:600}"
    ".verdict.good{border-left-color:var(--good)}.verdict.bad{border-left-color:var(--bad)}"
    ".cards{display:grid;gap:12px;margin:14px 0;"
    "grid-template-columns:repeat(auto-fill,minmax(min(100%,160px),1fr))}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:10px 14px}.card b{display:block;font-size:1.35rem;line-height:1.3;"
    "font-variant-numeric:tabular-nums}.card span{color:var(--soft);font-size:.87rem}"
    ".charts{display:grid;gap:12px;margin:14px 0;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}"
    ".chart{margin:0;background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:12px 14px}.chart figcaption{color:var(--ink);font-weight:600}"
    ".chart svg{display:block;width:100%;height:auto}"
    ".chart text{fill:var(--soft);font-size:13px}.chart .grid{stroke:var(--grid)}"
    ".legend{display:flex;flex-wrap:wrap;gap:2px 14px;color:var(--soft);font-size:.87rem}"
    ".legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}",
    ".scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px;"
    "background:var(--card);margin:10px 0}table{border-collapse:collapse;width:100%}"
    "th,td{padding:6px 12px;text-align:left;border-bottom:1px solid var(--line);"
    "vertical-align:top}tr:last-child td{border-bottom:0}th{font-size:.85rem;"
    "color:var(--soft);font-weight:600;white-space:nowrap}"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".n:first-child{width:1%}.bar{min-width:90px;width:30%;vertical-align:middle}.bar "
    "i{display:block;height:10px;"
    "border-radius:3px;background:var(--c0)}.bar i+i{background:var(--c1);margin-top:2px}"
    ".tag{display:inline-block;border:1px solid currentColor;border-radius:99px;padding:0 9px;"
    "font-size:.8rem;font-weight:600;color:var(--soft);white-space:nowrap}"
    ".tag.good{color:var(--good)}.tag.bad{color:var(--bad)}.tag.note{color:var(--note)}"
    ".thumbs{display:grid;gap:10px;margin:10px 0;"
    "grid-template-columns:repeat(auto-fill,minmax(150px,1fr))}"
    ".thumbs figure{margin:0;background:var(--card);border:1px solid var(--line);"
    "border-radius:8px;padding:8px}.thumbs img,.thumbs .none{display:flex;align-items:center;"
    "justify-content:center;width:100%;height:112px;object-fit:contain;border-radius:4px;"
    "background:var(--grid);color:var(--soft);font-size:.85rem}"
    ".thumbs figcaption{font-size:.8rem;line-height:1.35;margin-top:6px;overflow-wrap:anywhere}"
    ".matrix{width:auto}.matrix th{text-align:right;max-width:min(220px,34vw);"
    "overflow:hidden;text-overflow:ellipsis}"
    ".matrix th:first-child{position:sticky;left:0;background:var(--card)}"
    ".matrix td{min-width:38px;padding:6px 4px;"
    "text-align:center;border-bottom:0;font-variant-numeric:tabular-nums}"
    ".map img{width:100%;max-width:640px;height:auto;image-rendering:pixelated;"
    "border:1px solid #dfe3e8}"
    "@media(prefers-color-scheme:dark){.map img{filter:invert(1) hue-rotate(180deg)}}"
    "a{color:var(--c0)}details{margin:10px 0}summary{cursor:pointer;color:var(--c0)}"
    "footer{margin-top:40px;color:var(--soft);font-size:.87rem}",
};

static void append(fv_html *html, const char *text, size_t bytes)
{
    if (html->failed) return;
    if (html->room - html->bytes <= bytes) {
        const size_t room = 2 * html->room + bytes + 4096;
        char *grown = fv_alloc(room);
        html->failed = !grown;
        if (!grown) return;
        if (html->bytes) memcpy(grown, html->text, html->bytes);
        fv_free(html->text);
        html->text = grown;
        html->room = room;
    }
    memcpy(html->text + html->bytes, text, bytes);
    html->bytes += bytes;
    html->text[html->bytes] = '\0';
}

void fv_html_raw(fv_html *html, const char *markup) { append(html, markup, strlen(markup)); }

void fv_html_rawf(fv_html *html, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fv_html_raw(html, text);
}

static const char *escape(char c)
{
    switch (c) {
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '&': return "&amp;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    case '\n':
    case '\t': return NULL;
    default: return (unsigned char)c < 0x20 || c == 0x7f ? FV_UTF8_REPLACEMENT : NULL;
    }
}

void fv_html_text(fv_html *html, const char *text)
{
    while (*text) {
        const char *begin = text, *instead = NULL;
        int length = 0;
        for (; *text; text += length) {
            length = fv_utf8_sequence(text);
            instead = length ? escape(*text) : FV_UTF8_REPLACEMENT;
            if (instead) break;
        }
        append(html, begin, (size_t)(text - begin));
        if (!instead) return;
        fv_html_raw(html, instead);
        text++;
    }
}

void fv_html_textf(fv_html *html, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fv_html_text(html, text);
}

void fv_html_count(fv_html *html, int64_t number)
{
    char digits[32], grouped[48];
    const int count = snprintf(digits, sizeof(digits), "%" PRId64, number);
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        if (i > 0 && digits[i - 1] != '-' && (count - i) % 3 == 0) grouped[used++] = ',';
        grouped[used++] = digits[i];
    }
    append(html, grouped, used);
}

static void append_base64(fv_html *html, const uint8_t *bytes, size_t size)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t have = size - i < 3 ? size - i : 3;
        uint32_t word = 0;
        for (size_t k = 0; k < 3; k++) word = word << 8 | (k < have ? bytes[i + k] : 0u);
        char four[4];
        for (size_t k = 0; k < 4; k++)
            four[k] = k <= have ? letters[word >> (18 - 6 * k) & 63] : '=';
        append(html, four, 4);
    }
}

void fv_html_image(fv_html *html, const char *type, const uint8_t *bytes, size_t size, int width,
                   int height, const char *alt)
{
    fv_html_rawf(html, "<img loading=lazy width=%d height=%d alt=\"", width, height);
    fv_html_text(html, alt);
    fv_html_rawf(html, "\" src=\"data:%s;base64,", type);
    append_base64(html, bytes, size);
    fv_html_raw(html, "\">");
}

void fv_html_begin(fv_html *html, const char *title)
{
    fv_html_raw(html, "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
                      "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
                      "<title>");
    fv_html_text(html, title);
    fv_html_raw(html, "</title>\n<style>");
    for (size_t i = 0; i < FV_ARRAY_LEN(style); i++) fv_html_raw(html, style[i]);
    fv_html_raw(html, "</style>\n</head>\n<body>\n<main>\n<h1>");
    fv_html_text(html, title);
    fv_html_raw(html, "</h1>\n");
}

fv_status fv_html_end(fv_html *html, fv_error *err)
{
    fv_html_raw(html, "</main>\n</body>\n</html>\n");
    return html->failed ? fv_fail(err, FV_ERR_NOMEM, "page: out of memory") : FV_OK;
}

void fv_html_deinit(fv_html *html)
{
    fv_free(html->text);
    *html = (fv_html){ 0 };
}
