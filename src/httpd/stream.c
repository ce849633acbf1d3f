/* Answers without an end: the reader's end, on the server's thread, and the writers', on any. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "httpd/exchange.h"

#define BLOCK ((size_t)4 << 10) /* that MHD asks for at a time, of a client that takes no chunks */

struct e8_stream {
    unsigned magic;
    pthread_mutex_t lock;   /* of all below; taken before the server's lock of its news */
    unsigned references;    /* of the handler's side, of MHD's answer, of the server's list of news */
    struct e8_service *ex;  /* whose answer it is; NULL: not yet, or no longer */
    struct e8_httpd *httpd; /* of `ex` */
    bool closed;            /* nothing can be added; what is there is still sent */
    bool cut;               /* it is not */
    bool parked;            /* its connection is suspended until there is something to do */
    bool told;              /* it is in the server's list of news */
    struct e8_stream *next_news;
    size_t room, at, n; /* a ring: the bytes that wait begin at `at` */
    char bytes[];
};

struct e8_stream *e8_stream_new(struct e8_response *response, size_t room)
{
    E8_ASSERT(room > 0 && !response->stream);
    struct e8_stream *stream = e8_new(1, sizeof *stream + room);

    stream->magic = E8_STREAM_MAGIC;
    pthread_mutex_init(&stream->lock, NULL);
    stream->references =
        2; /* the answer's from the start: the other may be gone before the handler returns */
    stream->room = room;
    response->stream = stream;
    return stream;
}

/* Unlocks as well. */
static void let_go(struct e8_stream *stream)
{
    bool last = --stream->references == 0;

    pthread_mutex_unlock(&stream->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&stream->lock);
    stream->magic = 0;
    free(stream);
}

/* The server's thread shall look at it. */
static void tell(struct e8_stream *stream)
{
    struct e8_httpd *httpd = stream->httpd;
    uint64_t one = 1;

    if (!stream->ex || stream->told)
        return;
    stream->told = true;
    stream->references++;
    pthread_mutex_lock(&httpd->news_lock);
    stream->next_news = httpd->news;
    httpd->news = stream;
    pthread_mutex_unlock(&httpd->news_lock);
    ssize_t n = write(httpd->news_fd, &one, sizeof one);
    E8_ASSERT(n == (ssize_t)sizeof one);
}

static void append(struct e8_stream *stream, struct e8_str bytes)
{
    size_t end = (stream->at + stream->n) % stream->room;
    size_t first = bytes.n < stream->room - end ? bytes.n : stream->room - end;

    memcpy(stream->bytes + end, bytes.p, first);
    memcpy(stream->bytes, bytes.p + first, bytes.n - first);
    stream->n += bytes.n;
}

bool e8_stream_put(struct e8_stream *stream, struct e8_str bytes)
{
    E8_CHECK_MAGIC(stream, E8_STREAM_MAGIC);
    pthread_mutex_lock(&stream->lock);
    if (!stream->closed && bytes.n > stream->room - stream->n) {
        stream->closed = stream->cut = true;
        tell(stream);
    }
    bool taken = !stream->closed;
    if (taken && bytes.n > 0) {
        append(stream, bytes);
        if (stream->parked)
            tell(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    return taken;
}

bool e8_stream_is_open(struct e8_stream *stream)
{
    E8_CHECK_MAGIC(stream, E8_STREAM_MAGIC);
    pthread_mutex_lock(&stream->lock);
    bool open = !stream->closed;
    pthread_mutex_unlock(&stream->lock);
    return open;
}

void e8_stream_free(struct e8_stream **stream)
{
    if (!*stream)
        return;
    E8_CHECK_MAGIC(*stream, E8_STREAM_MAGIC);
    pthread_mutex_lock(&(*stream)->lock);
    (*stream)->closed = true;
    if ((*stream)->parked)
        tell(*stream);
    let_go(*stream);
    *stream = NULL;
}

static size_t take(struct e8_stream *stream, char *out, size_t max)
{
    size_t n = stream->n < max ? stream->n : max;
    size_t first = n < stream->room - stream->at ? n : stream->room - stream->at;

    memcpy(out, stream->bytes + stream->at, first);
    memcpy(out + first, stream->bytes, n - first);
    stream->at = (stream->at + n) % stream->room;
    stream->n -= n;
    return n;
}

static ssize_t read_stream(void *closure, uint64_t pos, char *out, size_t max)
{
    struct e8_stream *stream = closure;
    ssize_t result = 0;

    (void)pos;
    E8_CHECK_MAGIC(stream, E8_STREAM_MAGIC);
    pthread_mutex_lock(&stream->lock);
    if (stream->cut) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (stream->n > 0) {
        result = (ssize_t)take(stream, out, max);
    } else if (stream->closed) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->parked = true;
        MHD_suspend_connection(stream->ex->connection);
    }
    pthread_mutex_unlock(&stream->lock);
    return result;
}

static void on_answer_freed(void *closure)
{
    struct e8_stream *stream = closure;

    E8_CHECK_MAGIC(stream, E8_STREAM_MAGIC);
    pthread_mutex_lock(&stream->lock);
    stream->closed = true;
    let_go(stream);
}

struct MHD_Response *e8_stream_answer(struct e8_stream *stream)
{
    struct MHD_Response *answer =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, stream, on_answer_freed);

    if (!answer)
        on_answer_freed(stream);
    return answer;
}

void e8_stream_attach(struct e8_stream *stream, struct e8_service *ex)
{
    struct e8_httpd *httpd = ex->httpd;

    pthread_mutex_lock(&stream->lock);
    E8_ASSERT(!stream->ex);
    stream->ex = ex;
    stream->httpd = httpd;
    if (httpd->stopping)
        stream->closed = true;
    pthread_mutex_unlock(&stream->lock);
    ex->prev = NULL;
    ex->next = httpd->streams;
    if (ex->next)
        ex->next->prev = ex;
    httpd->streams = ex;
}

void e8_stream_detach(struct e8_stream *stream)
{
    struct e8_service *ex = stream->ex;

    *(ex->prev ? &ex->prev->next : &ex->httpd->streams) = ex->next;
    if (ex->next)
        ex->next->prev = ex->prev;
    pthread_mutex_lock(&stream->lock);
    stream->closed = true;
    stream->parked = false;
    stream->ex = NULL;
    pthread_mutex_unlock(&stream->lock);
}

/* Its connection goes on: there is something to send, or the end. Locked. */
static void unpark(struct e8_stream *stream)
{
    if (stream->parked)
        MHD_resume_connection(stream->ex->connection);
    stream->parked = false;
}

void e8_stream_lost(struct e8_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->closed = true;
    unpark(stream);
    pthread_mutex_unlock(&stream->lock);
}

static void look_at(struct e8_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->told = false;
    if (stream->ex) {
        if (stream->cut) /* MHD may wait until it can write */
            shutdown(e8_peer_of(stream->ex->connection)->fd, SHUT_RDWR);
        unpark(stream);
    }
    let_go(stream);
}

static struct e8_stream *take_news(struct e8_httpd *httpd)
{
    pthread_mutex_lock(&httpd->news_lock);
    struct e8_stream *news = httpd->news;
    httpd->news = NULL;
    pthread_mutex_unlock(&httpd->news_lock);
    return news;
}

void e8_streams_turn(struct e8_httpd *httpd)
{
    for (struct e8_stream *stream = take_news(httpd), *next; stream; stream = next) {
        next = stream->next_news; /* once it is looked at, it may be told of again */
        look_at(stream);
    }
}

void e8_streams_end(struct e8_httpd *httpd)
{
    for (struct e8_service *ex = httpd->streams; ex; ex = ex->next) {
        pthread_mutex_lock(&ex->stream->lock);
        ex->stream->closed = true;
        unpark(ex->stream);
        pthread_mutex_unlock(&ex->stream->lock);
    }
}
