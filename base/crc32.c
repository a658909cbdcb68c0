/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32.h"

void fv_crc32_init(fv_crc32 *crc32)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0u);
        crc32->table[0][i] = value;
    }
    for (int k = 1; k < 8; k++) {
        for (int i = 0; i < 256; i++) {
            const uint32_t before = crc32->table[k - 1][i];
            crc32->table[k][i] = before >> 8 ^ crc32->table[0][before & 255];
        }
    }
}

static uint32_t load(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t fv_crc32_add(const fv_crc32 *crc32, uint32_t crc, const void *data, size_t bytes)
{
    const uint32_t(*t)[256] = crc32->table;
    const uint8_t *p = data, *end = p + bytes;
    crc = ~crc;
    for (; end - p >= 8; p += 8) {
        const uint32_t a = crc ^ load(p), b = load(p + 4);
        crc = t[7][a & 255] ^ t[6][a >> 8 & 255] ^ t[5][a >> 16 & 255] ^ t[4][a >> 24] ^
              t[3][b & 255] ^ t[2][b >> 8 & 255] ^ t[1][b >> 16 & 255] ^ t[0][b >> 24];
    }
    for (; p < end; p++) crc = crc >> 8 ^ t[0][(crc ^ *p) & 255];
    return ~crc;
}
