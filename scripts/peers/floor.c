/* The floor: the least that an epoll server can do for a request.
 *
 * One thread, level-triggered epoll(7). It looks at nothing: whatever a read brings is answered
 * with the same octets. Nothing that speaks HTTP over these calls can cost less; how much more it
 * costs is what parsing, answering and counting cost.
 *
 *     floor PORT      (0 takes a free one; the first line of output tells which)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char reply[] =
    "HTTP/1.1 200 OK\r\n"
    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 14\r\n"
    "\r\n"
    "Hello, world!\n";

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socklen_t length = sizeof(struct sockaddr_in);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 4096)
        || getsockname(fd, (struct sockaddr *)&address, &length))
        fail("listen");
    printf("listening 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        fail("epoll_ctl");
}

static void answer(int fd)
{
    char request[16384];
    if (recv(fd, request, sizeof request, 0) <= 0
        || send(fd, reply, sizeof reply - 1, MSG_NOSIGNAL) != sizeof reply - 1)
        close(fd);
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    int epoll = epoll_create1(0), listener, client, count, i;

    if (argc != 2)
        return fprintf(stderr, "usage: floor PORT\n"), 2;
    listener = listen_on(atoi(argv[1]));
    watch(epoll, listener);
    for (;;) {
        count = epoll_wait(epoll, events, 256, -1);
        for (i = 0; i < count; i++) {
            if (events[i].data.fd != listener)
                answer(events[i].data.fd);
            else
                while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                    watch(epoll, client);
        }
    }
}
