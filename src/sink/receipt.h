/* What is kept of a request, the thread that writes it, and the file it goes to. Private to sink. */
#ifndef E8_SINK_RECEIPT_H
#define E8_SINK_RECEIPT_H

#include <stdio.h>

#include "httpd/httpd.h"
#include "sink/record.h"

/* Longer ids and types are cut; emit8's own are well below. */
#define E8_RECEIPT_ID_MAX   192
#define E8_RECEIPT_TYPE_MAX 96

struct e8_receipt {
    e8_wall_ns at;
    e8_dur_ns delay;
    uint64_t connection;
    uint64_t body_bytes;
    int64_t attempt;
    int status; /* 0: none was sent */
    enum e8_fault fault;
    const char *verdict; /* static */
    uint8_t body_sha256[32];
    char delivery[E8_RECEIPT_ID_MAX]; /* empty: the request names none */
    char type[E8_RECEIPT_TYPE_MAX];   /* likewise */
    struct e8_arrival *arrival;       /* for the recording; the writer frees it. NULL: none */
};

const char *e8_fault_name(enum e8_fault fault); /* NULL for none */
/* A line for people, or a JSON object; with the newline. */
void e8_receipt_line(const struct e8_receipt *receipt, struct e8_buf *out);
void e8_receipt_ndjson(const struct e8_receipt *receipt, struct e8_buf *out);

/* The SQLite file. One thread at a time. */
struct e8_receipts;
enum e8_rc e8_receipts_open(const char *path, struct e8_receipts **out, struct e8_err *err);
void e8_receipts_close(struct e8_receipts **receipts);
/* A batch; after the first failure everything fails, so that the file has no gap but an end. */
enum e8_rc e8_receipts_begin(struct e8_receipts *receipts, struct e8_err *err);
enum e8_rc e8_receipts_put(struct e8_receipts *receipts, const struct e8_receipt *receipt,
                           struct e8_err *err);
enum e8_rc e8_receipts_commit(struct e8_receipts *receipts, struct e8_err *err);

/* Takes receipts from one other thread and writes them, so that neither a disk nor a terminal holds up an answer. */
struct e8_writer;
/* `receipts` moves into the writer and may be NULL, like `out`. Nothing is written before e8_writer_start. */
struct e8_writer *e8_writer_new(struct e8_receipts *receipts, FILE *out, bool ndjson);
/* Before the start: `recording`, which moves into the writer, gets what arrives. */
void e8_writer_record(struct e8_writer *writer, struct e8_recording *recording);
enum e8_rc e8_writer_start(struct e8_writer *writer, struct e8_err *err);
/* From the one producer's thread: a slot to fill, then hand over. Waits while the ring is full. */
struct e8_receipt *e8_writer_slot(struct e8_writer *writer);
void e8_writer_push(struct e8_writer *writer, struct e8_receipt *receipt);
/* Writes what is left, joins, frees. E8_ENV when receipts, or parts of the recording, were lost. */
enum e8_rc e8_writer_stop(struct e8_writer **writer, struct e8_err *err);

#endif
