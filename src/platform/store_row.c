#include "platform/store_parts.h"

static const char *text(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}

void e8_row_read(sqlite3_stmt *row, struct e8_store_row *out)
{
    bool held = sqlite3_column_int(row, 18) != 0;
    e8_dur_ns waited = sqlite3_column_int64(row, 20);

    *out = (struct e8_store_row){
        .row = sqlite3_column_int64(row, 0),
        .id = text(row, 1),
        .event_id = text(row, 2),
        .type = text(row, 3),
        .environment = text(row, 4),
        .webhook = text(row, 5),
        .url = text(row, 6),
        .deleted = sqlite3_column_int(row, 19) != 0,
        .test = sqlite3_column_int(row, 7) != 0,
        .state = e8_state_shown(sqlite3_column_int(row, 8)),
        .attempts = (unsigned)sqlite3_column_int64(row, 9),
        .status = sqlite3_column_int(row, 10),
        .outcome = text(row, 11),
        .error = text(row, 12),
        .response_time = sqlite3_column_type(row, 13) == SQLITE_NULL ? -1 : sqlite3_column_int64(row, 13),
        .waited = sqlite3_column_type(row, 20) == SQLITE_NULL ? -1 : waited > 0 ? waited : 0,
        .created = sqlite3_column_int64(row, 14),
        .updated = sqlite3_column_int64(row, 15),
        .held = held,
        .next = held ? 0 : sqlite3_column_int64(row, 16),
        .run = text(row, 17),
    };
}
