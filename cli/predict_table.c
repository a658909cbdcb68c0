/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/predict.h"
#include "cli/text.h"

enum { LEAST_COLUMNS = 12, UNBOUNDED = 1 << 20 };

/* "  rank   class  probability" */
enum { OTHER_COLUMNS = 2 + 4 + 2 + 6 + 2 + 11 };

void fv_predict_table_begin(fv_predict_table *table, FILE *out, const fv_pictures *pictures,
                            const fv_labels *labels)
{
    int files = (int)sizeof("file") - 1, names = 0;
    for (int i = 0; i < pictures->paths.count; i++)
        files = fv_max(files, fv_text_columns(fv_pictures_at(pictures, i)));
    for (int i = 0; i < labels->count; i++)
        if (labels->names[i]) names = fv_max(names, fv_text_columns(labels->names[i]));
    if (names) names = fv_max(names, (int)sizeof("name") - 1);

    /* Names give way down to a third of the room, then files. */
    const int terminal = fv_terminal_columns(out);
    const int room = terminal ? terminal - OTHER_COLUMNS - (names ? 2 : 0) : UNBOUNDED;
    if (files + names > room && names)
        names = fv_max(fv_min(names, fv_max(room - files, room / 3)), LEAST_COLUMNS);
    if (files + names > room) files = fv_max(room - names, LEAST_COLUMNS);
    *table = (fv_predict_table){ out, labels, files, names };

    fv_text_print(out, "file", files, false);
    fprintf(out, "  rank   class  probability%s\n", names ? "  name" : "");
}

void fv_predict_table_add(const fv_predict_table *table, const fv_prediction *prediction)
{
    FILE *out = table->out;
    if (prediction->error) {
        fv_text_print(out, prediction->path, table->file_columns, true);
        fprintf(out, "  could not be predicted\n");
        return;
    }
    for (int i = 0; i < prediction->count; i++) {
        const char *name = fv_labels_name(table->labels, prediction->ids[i]);
        fv_text_print(out, i ? "" : prediction->path, table->file_columns, true);
        fprintf(out, "  %4d  %6d  %9.2f %%", i + 1, prediction->ids[i],
                100.0 * (double)prediction->scores[i]);
        if (name) {
            fprintf(out, "  ");
            fv_text_print(out, name, fv_min(table->name_columns, fv_text_columns(name)), false);
        }
        fputc('\n', out);
    }
}
