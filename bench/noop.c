/* SPDX-License-Identifier: MIT
 *
 * noop.c - the floor that the bank is measured against: `noop PORT`, or `noop unix:PATH`.
 *
 * Purpose    What one thread pays for the sockets alone: accept, wait, read, write.
 * Errors     As floor.h; exit 2 where it is called otherwise.
 */
#include <stdio.h>
#include <sys/epoll.h>

#include "floor.h"

int main(int argc, char **argv)
{
    floor_schedule();
    int listener = argc == 2 ? floor_listen(argv[1]) : -1;
    if (listener < 0) {
        fprintf(stderr, "usage: noop PORT | unix:PATH\n");
        return 2;
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        floor_die("epoll_create1");
    floor_watch(epoll, listener);

    struct epoll_event events[FLOOR_EVENTS_MAX];
    for (;;) {
        int ready = epoll_wait(epoll, events, FLOOR_EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            bool last;
            if (fd == listener)
                floor_accept(epoll, listener);
            else if (floor_asked(fd, &last))
                floor_reply(fd, last);
        }
    }
}
