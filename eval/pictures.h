/* SPDX-License-Identifier: Apache-2.0 */
/* eval/pictures.h - which pictures were meant: files, folders and list files, in order.
 *
 *   a folder      all pictures in and below it, by extension (.jpg .jpeg .png, any case), sorted
 *                 by their paths, bytewise
 *   a .txt file   one picture per line; a class number at the end of the line, after blanks, is
 *                 cut off, and double quotes around the name too, so that the lists of training
 *                 serve; relative names start from `root`
 *   .csv .tar .h5 the pictures of a table, of archives (a pattern, too), of a packed file, as
 *                 data/dataset.h reads them; labels are not looked at, but must be there
 *   all else      one picture, whether it exists or not: reading it will tell
 */
#ifndef FV_EVAL_PICTURES_H
#define FV_EVAL_PICTURES_H

#include "base/list.h"
#include "base/memory.h"
#include "base/status.h"

typedef struct fv_pictures {
    fv_arena memory;
    fv_list paths;  /* of const char *: for people, where a picture is no file of its own */
    fv_list ranges; /* of paths that are those of a dataset */
} fv_pictures;

void fv_pictures_init(fv_pictures *pictures);
void fv_pictures_deinit(fv_pictures *pictures);

/* Appends what `path` means. `root` may be "". Fails for a folder that cannot be read or has no
 * pictures (unless its own name is a picture's: then it is one that cannot be read), and for a list
 * that is missing, empty or no text. */
fv_status fv_pictures_add(fv_pictures *pictures, const char *path, const char *root, fv_error *err);

/* Appends the pictures of a list, whatever its extension. */
fv_status fv_pictures_add_list(fv_pictures *pictures, const char *path, const char *root,
                               fv_error *err);

const char *fv_pictures_at(const fv_pictures *pictures, int i);

/* The file of picture i, undecoded: freed with fv_free(). Any number of threads may read. */
fv_status fv_pictures_read(const fv_pictures *pictures, int i, char **bytes, size_t *size,
                           fv_error *err);

#endif /* FV_EVAL_PICTURES_H */
