/* SPDX-License-Identifier: Apache-2.0 */
#include "io/hdf5_impl.h"

#include <string.h>

void fv_h5_quiet(void)
{
    /* Opening the library first, since that would switch the printing on again. */
    H5open();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* "." would be the group itself. */
static bool must_escape(const char *name, size_t i)
{
    return name[i] == '/' || name[i] == '%' || (name[i] == '.' && i == 0 && name[1] == '\0');
}

bool fv_h5_escape(const char *name, char stored[FV_H5_MAX_NAME])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; name[i]; i++) {
        const unsigned char c = (unsigned char)name[i];
        if (n + 4 > FV_H5_MAX_NAME) return false;
        if (must_escape(name, i)) {
            stored[n++] = '%';
            stored[n++] = digits[c >> 4];
            stored[n++] = digits[c & 15];
        } else {
            stored[n++] = (char)c;
        }
    }
    stored[n] = '\0';
    return n > 0;
}

bool fv_h5_unescape(char *stored)
{
    char *out = stored;
    for (const char *in = stored; *in; in++) {
        char c = *in;
        if ((unsigned char)c < ' ' || c == '\x7f') return false;
        if (c == '%') {
            if (strncmp(in, "%2F", 3) == 0)
                c = '/';
            else if (strncmp(in, "%25", 3) == 0)
                c = '%';
            else if (strncmp(in, "%2E", 3) == 0)
                c = '.';
            else
                return false;
            in += 2;
        }
        *out++ = c;
    }
    *out = '\0';
    return out > stored;
}
