/* SPDX-License-Identifier: Apache-2.0 */
/* base/crc32.h - the checksum of zlib, PNG and gzip: polynomial 0xedb88320, reflected. */
#ifndef FV_BASE_CRC32_H
#define FV_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Eight bytes are done at a time. */
typedef struct fv_crc32 {
    uint32_t table[8][256];
} fv_crc32;

void fv_crc32_init(fv_crc32 *crc32);

/* The checksum of what `crc` is the checksum of (0: of nothing), followed by `bytes` of `data`. */
uint32_t fv_crc32_add(const fv_crc32 *crc32, uint32_t crc, const void *data, size_t bytes);

#endif /* FV_BASE_CRC32_H */
