/* Faults that cannot be had from outside: this program's own definitions come before those of the libraries. */
#include "peer.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "transport/internal.h"

atomic_int interpose_signals;
atomic_int interpose_connect_errno, interpose_connect_wait, interpose_action_failures, interpose_names;
sem_t interpose_name_hold, interpose_name_held;

atomic_int interpose_strayed, interpose_send_errno;

static bool is_local(const struct sockaddr *sa)
{
    struct e8_addr addr;
    return sa->sa_family == AF_UNIX || sa->sa_family == AF_UNSPEC ||
           (e8_addr_of(sa, &addr) && e8_addr_is_loopback(&addr));
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    typedef int connect_fn(int, const struct sockaddr *, socklen_t);
    connect_fn *real;
    if (!is_local(
            address.__sockaddr__)) { /* nothing leaves this machine, whatever is broken in what is tested */
        atomic_fetch_add(&interpose_strayed, 1);
        errno = ENETUNREACH;
        return -1;
    }
    int type = 0, error = atomic_load(&interpose_connect_errno);
    socklen_t type_size = sizeof type;
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size);
    if (error && type == SOCK_STREAM) {
        errno = error;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "connect");
    int rc = real(fd, address.__sockaddr__, size);
    error = errno;
    if (type == SOCK_STREAM && atomic_load(&interpose_connect_wait))
        (void)poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 20000);
    errno = error;
    return rc;
}

/* No name is asked of the network. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *want, struct addrinfo **out)
{
    typedef int lookup_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    lookup_fn *real;
    atomic_fetch_add(&interpose_names, 1);
    if (name && strcmp(name, "hang.invalid") == 0) {
        sem_post(&interpose_name_held);
        while (sem_wait(&interpose_name_hold) != 0)
            ;
        return EAI_NONAME;
    }
    if (name && strcmp(name, "rebound.invalid") == 0)
        name = "192.0.2.1";
    else if (name && strcmp(name, "metadata.invalid") == 0)
        name = "169.254.169.254";
    else if (name && strcmp(name, "here.invalid") == 0)
        name = "127.0.0.1";
    else if (name && strstr(name, ".invalid"))
        return EAI_NONAME;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, want, out);
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int events, int *running)
{
    typedef CURLMcode action_fn(CURLM *, curl_socket_t, int, int *);
    action_fn *real;
    if (atomic_load(&interpose_action_failures) > 0) {
        atomic_fetch_sub(&interpose_action_failures, 1);
        return CURLM_INTERNAL_ERROR;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "curl_multi_socket_action");
    return real(multi, fd, events, running);
}

/* O(all handles): not to be used. */
CURLMcode curl_multi_perform(CURLM *multi, int *running)
{
    (void)multi;
    (void)running;
    E8_UNREACHABLE();
}

/* Without CURLOPT_NOSIGNAL libcurl changes what SIGPIPE does, for all threads. */
int sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
    typedef int action_fn(int, const struct sigaction *, struct sigaction *);
    action_fn *real;
    if (signal == SIGPIPE)
        atomic_fetch_add(&interpose_signals, 1);
    *(void **)&real = dlsym(RTLD_NEXT, "sigaction");
    return real(signal, action, old);
}

/* When single bytes were sent: the last ones of held bodies. */
struct interpose_sends interpose_sends;

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
    typedef ssize_t send_fn(int, const void *, size_t, int);
    send_fn *real;
    int error = atomic_load(&interpose_send_errno);
    if (error && n > 1 && atomic_exchange(&interpose_send_errno, 0)) {
        errno = error;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "send");
    ssize_t sent = real(fd, bytes, n, flags);
    if (n == 1 && sent == 1 && interpose_sends.on && interpose_sends.count < E8_COUNT(interpose_sends.at))
        interpose_sends.at[interpose_sends.count++] = e8_mono_now();
    return sent;
}

atomic_int interpose_looks;

ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
    typedef ssize_t recv_fn(int, void *, size_t, int);
    recv_fn *real;
    *(void **)&real = dlsym(RTLD_NEXT, "recv");
    if (n == 1)
        atomic_fetch_add(&interpose_looks, 1);
    return real(fd, bytes, n, flags);
}
