/*
 * The yardstick of `make bench`: Trapline's topology in plain C and libzmq, with no codec, no access
 * checks, no metrics and no logging.  What the product costs is measured against this.
 *
 *   guests (load)             mediator                     EL3
 *   DEALER x N   -- ipc -->   ROUTER | zmq_proxy | DEALER  -- ipc -->   ROUTER
 *
 * Every box is a process of its own with one ZeroMQ I/O thread, forked before any context exists.
 * Each guest keeps one call in flight: it sends its next request as soon as it has read the reply.
 * By default one process drives all N guest sockets; with --processes every guest is a process.
 *
 * The program's first process is the supervisor.  It owns no ZeroMQ context: it forks the nodes,
 * starts all guests at one instant, adds up what they counted, and always takes the nodes and the
 * socket files away again.  CPU affinity is inherited: pin the program and every node is pinned.
 *
 *   cc -O2 -o reference reference.c -lzmq -lpthread
 *   ./reference --guests 64 --seconds 2 --work-us 15 --bytes 128 --dir /tmp
 *
 * Output, one line: {"calls": n, "seconds": s, "calls_per_s": x, "p50_us": a, "p99_us": b}
 * Exit status: 0 measured, 1 failed (the reason is on stderr), 2 wrong usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define NS_PER_S 1000000000ull
#define NS_PER_US 1000ull

#define WARM_UP_NS (300 * NS_PER_S / 1000) /* called but not counted */
#define GRACE_S 30                         /* longest wait for start-up, and for the end of a run */
#define MAX_GUESTS 10000
#define MAX_FRAMES 8 /* a request at EL3: mediator's id, guest's id, body */

struct options {
    long guests;
    double seconds;
    long work_us;
    long bytes;
    const char *dir;
    bool mandatory; /* ZMQ_ROUTER_MANDATORY on both ROUTERs */
    bool processes; /* one process per guest */
};

static struct options options = {.guests = 1, .seconds = 2.0, .work_us = 15, .bytes = 128};

/* ------------------------------------------------------------------ latency histogram ---------- */

/*
 * Log-linear: values under SUB nanoseconds have a bucket each, and every power of two above is cut
 * into SUB equal buckets, so a bucket is never wider than 1/SUB (0.8 %) of its values.
 */
#define SUB_BITS 7
#define SUB (1u << SUB_BITS)
#define TOP_BITS 40 /* 2^40 ns is 18 minutes: anything longer goes into the last bucket */
#define BUCKETS ((TOP_BITS - SUB_BITS + 1) * SUB)

/* What one load process counted, and what it sends to the supervisor when it is done. */
struct tally {
    uint64_t calls;
    uint64_t buckets[BUCKETS];
};

static void tally_add(struct tally *tally, uint64_t ns)
{
    unsigned bucket = (unsigned)ns;

    if (ns >> TOP_BITS) {
        bucket = BUCKETS - 1;
    } else if (ns >= SUB) {
        unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - SUB_BITS;
        bucket = (shift << SUB_BITS) + (unsigned)(ns >> shift);
    }
    tally->calls++;
    tally->buckets[bucket]++;
}

/* The latency, in microseconds, that `share` of the calls did not exceed: middle of its bucket. */
static double tally_quantile_us(const struct tally *tally, double share)
{
    double rank = share * (double)tally->calls;
    uint64_t seen = 0;
    unsigned bucket = 0;

    for (; bucket < BUCKETS - 1; bucket++) {
        seen += tally->buckets[bucket];
        if (seen > 0 && (double)seen >= rank)
            break;
    }
    if (bucket < SUB)
        return (double)bucket / NS_PER_US;
    unsigned shift = (bucket >> SUB_BITS) - 1;
    uint64_t low = (uint64_t)(bucket - (shift << SUB_BITS)) << shift;
    return ((double)low + (double)(1ull << shift) / 2) / NS_PER_US;
}

/* ------------------------------------------------------------------ processes ------------------ */

static pid_t supervisor;
static pid_t *nodes; /* forked and not yet reaped; 0 once reaped */
static size_t node_count;
static sigset_t handled;        /* read from a signalfd, blocked everywhere */
static char guests_path[PATH_MAX]; /* mediator's ROUTER */
static char el3_path[PATH_MAX];    /* EL3's ROUTER */

/* Leave nothing behind: first the nodes, so that none can bind again, then the socket files. */
static void clean_up(void)
{
    for (size_t i = 0; i < node_count; i++)
        if (nodes[i] > 0)
            kill(nodes[i], SIGKILL);
    for (size_t i = 0; i < node_count; i++)
        while (nodes[i] > 0 && waitpid(nodes[i], NULL, 0) == -1 && errno == EINTR)
            ;
    node_count = 0;
    unlink(guests_path);
    unlink(el3_path);
}

static void leave(int status)
{
    if (getpid() == supervisor) {
        clean_up();
        exit(status);
    }
    _exit(status);
}

/* Report the error in errno, which may be one of ZeroMQ's own, and leave. */
static void fail(const char *what)
{
    fprintf(stderr, "reference: %s: %s\n", what, zmq_strerror(errno));
    leave(1);
}

static void fail_because(const char *what, const char *reason)
{
    fprintf(stderr, "reference: %s: %s\n", what, reason);
    leave(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Read or write the whole of a small record; false at end of file. */
static bool read_all(int fd, void *record, size_t size)
{
    for (char *at = record; size > 0;) {
        ssize_t got = read(fd, at, size);
        if (got == -1 && errno == EINTR)
            continue;
        if (got == -1)
            fail("pipe read");
        if (got == 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static void write_all(int fd, const void *record, size_t size)
{
    for (const char *at = record; size > 0;) {
        ssize_t put = write(fd, at, size);
        if (put == -1 && errno == EINTR)
            continue;
        if (put == -1)
            fail("pipe write");
        at += put;
        size -= (size_t)put;
    }
}

/* Fork a node.  Returns true in the node, which dies with the supervisor and ignores its signals. */
static bool fork_node(const char *name)
{
    pid_t pid = fork();

    if (pid == -1)
        fail("fork");
    if (pid > 0) {
        nodes[node_count++] = pid;
        return false;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1)
        fail("prctl");
    if (getppid() != supervisor) /* it died before the line above */
        _exit(1);
    prctl(PR_SET_NAME, name);
    return true;
}

/* ------------------------------------------------------------------ ZeroMQ --------------------- */

static void *new_context(void)
{
    void *context = zmq_ctx_new();

    if (!context)
        fail("context");
    if (zmq_ctx_set(context, ZMQ_IO_THREADS, 1) == -1)
        fail("I/O threads");
    if (zmq_ctx_set(context, ZMQ_MAX_SOCKETS, (int)options.guests + 16) == -1)
        fail("maximum of sockets");
    return context;
}

static void set_option(void *socket, int option, int value, const char *what)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value) == -1)
        fail(what);
}

static void *new_socket(void *context, int type)
{
    void *socket = zmq_socket(context, type);

    if (!socket)
        fail("socket");
    set_option(socket, ZMQ_SNDHWM, 0, "send high-water mark");
    set_option(socket, ZMQ_RCVHWM, 0, "receive high-water mark");
    set_option(socket, ZMQ_LINGER, 0, "linger");
    if (type == ZMQ_ROUTER) {
        set_option(socket, ZMQ_ROUTER_MANDATORY, options.mandatory, "router mandatory");
        set_option(socket, ZMQ_BACKLOG, (int)options.guests + 16, "backlog");
    }
    return socket;
}

static void attach(int (*how)(void *, const char *), void *socket, const char *path, const char *what)
{
    char endpoint[PATH_MAX + 8];

    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    if (how(socket, endpoint) == -1)
        fail(what);
}

static void receive_frame(void *socket, zmq_msg_t *frame, const char *what)
{
    while (zmq_msg_recv(frame, socket, 0) == -1)
        if (errno != EINTR)
            fail(what);
}

static void send_frame(void *socket, zmq_msg_t *frame, int flags, const char *what)
{
    while (zmq_msg_send(frame, socket, flags) == -1)
        if (errno != EINTR)
            fail(what);
}

/* ------------------------------------------------------------------ the nodes ------------------ */

static void spin(uint64_t ns)
{
    for (uint64_t end = now_ns() + ns; now_ns() < end;)
        ;
}

/* EL3: work for --work-us on each request, then send it back the way it came. */
static void run_el3(void)
{
    void *socket = new_socket(new_context(), ZMQ_ROUTER);
    zmq_msg_t frames[MAX_FRAMES];

    for (int i = 0; i < MAX_FRAMES; i++)
        zmq_msg_init(&frames[i]);
    attach(zmq_bind, socket, el3_path, "EL3 bind");
    for (;;) {
        int count = 0;
        do {
            if (count == MAX_FRAMES)
                fail_because("EL3 receive", "too many frames");
            receive_frame(socket, &frames[count], "EL3 receive");
        } while (zmq_msg_more(&frames[count++]));
        spin((uint64_t)options.work_us * NS_PER_US);
        for (int i = 0; i < count; i++)
            send_frame(socket, &frames[i], i + 1 < count ? ZMQ_SNDMORE : 0, "EL3 send");
    }
}

/* The mediator: the guests' ROUTER on one side, a DEALER to EL3 on the other, zmq_proxy between. */
static void run_mediator(void)
{
    void *context = new_context();
    void *to_guests = new_socket(context, ZMQ_ROUTER);
    void *to_el3 = new_socket(context, ZMQ_DEALER);

    attach(zmq_connect, to_el3, el3_path, "mediator connect");
    attach(zmq_bind, to_guests, guests_path, "mediator bind");
    do {
        zmq_proxy(to_guests, to_el3, NULL);
    } while (errno == EINTR);
    fail("mediator proxy");
}

static void guest_send(void *guest, const char *body, size_t size)
{
    while (zmq_send(guest, body, size, 0) == -1)
        if (errno != EINTR)
            fail("guest send");
}

static void guest_receive(void *guest, char *body, size_t size)
{
    int got;

    while ((got = zmq_recv(guest, body, size, 0)) == -1)
        if (errno != EINTR)
            fail("guest receive");
    if ((size_t)got != size)
        fail_because("guest receive", "the reply has another size than the request");
}

/*
 * The load: `count` guests in one process, each with one call in flight.  A call counts if its reply
 * was read in the window, which is the same for every load process: from the warm-up's end, for
 * --seconds.  Talks to the supervisor: a byte out when all guests are connected, the instant to
 * start in, the tally out.
 */
static void run_load(size_t count, int start_fd, int result_fd)
{
    static struct tally tally;
    size_t size = (size_t)options.bytes;
    void *context = new_context();
    void **guests = calloc(count, sizeof *guests);
    uint64_t *sent = calloc(count, sizeof *sent);
    char *body = calloc(1, size + 1); /* one more, so that --bytes 0 has a buffer too */
    uint64_t start, begin, end, now;

    if (!guests || !sent || !body)
        fail("load memory");

    for (size_t i = 0; i < count; i++) {
        guests[i] = new_socket(context, ZMQ_DEALER);
        attach(zmq_connect, guests[i], guests_path, "guest connect");
        guest_send(guests[i], body, size);
    }
    for (size_t i = 0; i < count; i++)
        guest_receive(guests[i], body, size);

    write_all(result_fd, "r", 1);
    if (!read_all(start_fd, &start, sizeof start))
        fail_because("start", "the supervisor is gone");
    begin = start + WARM_UP_NS;
    end = begin + (uint64_t)(options.seconds * (double)NS_PER_S);

    for (size_t i = 0; i < count; i++) {
        sent[i] = now_ns();
        guest_send(guests[i], body, size);
    }
    for (size_t i = 0;; i = i + 1 < count ? i + 1 : 0) {
        guest_receive(guests[i], body, size);
        now = now_ns();
        if (now >= end) {
            sent[i] = 0; /* this guest alone has nothing in flight */
            break;
        }
        if (now >= begin)
            tally_add(&tally, now - sent[i]);
        sent[i] = now;
        guest_send(guests[i], body, size);
    }

    /* Read the replies still due, so that no node answers a guest that is gone (--mandatory). */
    for (size_t i = 0; i < count; i++)
        if (sent[i])
            guest_receive(guests[i], body, size);

    write_all(result_fd, &tally, sizeof tally);
    /* Stay until the supervisor ends the run: another guest's calls may still be under way. */
    for (;;)
        pause();
}

/* ------------------------------------------------------------------ the supervisor ------------- */

/* A signal arrived: a node that ended has failed, everything else asks us to stop. */
static void take_signal(int signal_fd)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;

    if (!read_all(signal_fd, &info, sizeof info))
        fail_because("signals", "end of file");
    if (info.ssi_signo != SIGCHLD) {
        /* Die of it, as the caller expects, but tidily. */
        clean_up();
        raise((int)info.ssi_signo);
        signal((int)info.ssi_signo, SIG_DFL);
        sigprocmask(SIG_UNBLOCK, &handled, NULL);
        exit(1);
    }
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < node_count; i++) {
            if (nodes[i] != pid)
                continue;
            nodes[i] = 0;
            if (WIFSIGNALED(status)) /* else it has said why itself */
                fail_because("a node was killed", strsignal(WTERMSIG(status)));
            leave(1);
        }
    }
}

/* Read a record from a load process, while watching the signals and the clock. */
static void take_record(int fd, int signal_fd, void *record, size_t size, uint64_t deadline)
{
    struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

    for (;;) {
        uint64_t now = now_ns();
        uint64_t left_ms = now < deadline ? (deadline - now) / (NS_PER_S / 1000) + 1 : 0;
        int ready = poll(fds, 2, left_ms < INT_MAX ? (int)left_ms : INT_MAX);

        if (ready == -1 && errno != EINTR)
            fail("poll");
        if (ready == 0 && now_ns() >= deadline)
            fail_because("timeout", "a call was not answered");
        if (ready <= 0)
            continue;
        if (fds[0].revents) {
            take_signal(signal_fd);
        } else {
            /* At end of file the load process has failed: SIGCHLD comes next. */
            if (read_all(fd, record, size))
                return;
            fds[1].fd = -1;
        }
    }
}

static void run(struct tally *total)
{
    size_t loads = options.processes ? (size_t)options.guests : 1;
    size_t guests_each = options.processes ? 1 : (size_t)options.guests;
    static struct tally part;
    int start_pipe[2], signal_fd;
    int *results = calloc(loads, sizeof *results);
    uint64_t start, deadline;
    char ready;

    nodes = calloc(loads + 2, sizeof *nodes);
    if (!nodes || !results)
        fail("memory");
    if (pipe(start_pipe) == -1)
        fail("pipe");
    if ((signal_fd = signalfd(-1, &handled, SFD_CLOEXEC)) == -1)
        fail("signalfd");

    if (fork_node("el3"))
        run_el3();
    if (fork_node("mediator"))
        run_mediator();
    for (size_t i = 0; i < loads; i++) {
        int result_pipe[2];
        if (pipe(result_pipe) == -1)
            fail("pipe");
        if (fork_node("load")) {
            close(start_pipe[1]);
            run_load(guests_each, start_pipe[0], result_pipe[1]);
        }
        close(result_pipe[1]);
        results[i] = result_pipe[0];
    }

    deadline = now_ns() + GRACE_S * NS_PER_S;
    for (size_t i = 0; i < loads; i++)
        take_record(results[i], signal_fd, &ready, sizeof ready, deadline);

    start = now_ns();
    for (size_t i = 0; i < loads; i++)
        write_all(start_pipe[1], &start, sizeof start);

    deadline = start + WARM_UP_NS + (uint64_t)((options.seconds + GRACE_S) * (double)NS_PER_S);
    for (size_t i = 0; i < loads; i++) {
        take_record(results[i], signal_fd, &part, sizeof part, deadline);
        total->calls += part.calls;
        for (unsigned bucket = 0; bucket < BUCKETS; bucket++)
            total->buckets[bucket] += part.buckets[bucket];
    }
    clean_up();
}

static void usage(void)
{
    fputs("usage: reference --guests N --seconds S --work-us US --bytes B --dir DIR [--mandatory] [--processes]\n"
          "  --guests N     guests, each with one call in flight (1)\n"
          "  --seconds S    time to count for, after a warm-up of 0.3 s (2)\n"
          "  --work-us US   time EL3 spins for on each request (15)\n"
          "  --bytes B      size of request and reply (128)\n"
          "  --dir DIR      where the ipc sockets go; they are removed at the end\n"
          "  --mandatory    set ZMQ_ROUTER_MANDATORY on mediator and EL3\n"
          "  --processes    one process per guest, not one for all of them\n",
          stderr);
    exit(2);
}

static double number(const char *text, double low, double high)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= low && value <= high))
        usage();
    return value;
}

static long whole_number(const char *text, long low, long high)
{
    double value = number(text, (double)low, (double)high);

    if (value != (double)(long)value)
        usage();
    return (long)value;
}

static void parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"guests", required_argument, NULL, 'g'},  {"seconds", required_argument, NULL, 's'},
        {"work-us", required_argument, NULL, 'w'}, {"bytes", required_argument, NULL, 'b'},
        {"dir", required_argument, NULL, 'd'},     {"mandatory", no_argument, NULL, 'm'},
        {"processes", no_argument, NULL, 'p'},     {NULL, 0, NULL, 0},
    };

    for (int key; (key = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (key) {
        case 'g': options.guests = whole_number(optarg, 1, MAX_GUESTS); break;
        case 's': options.seconds = number(optarg, 0.001, 86400); break;
        case 'w': options.work_us = whole_number(optarg, 0, 1000000); break;
        case 'b': options.bytes = whole_number(optarg, 0, 1 << 24); break;
        case 'd': options.dir = optarg; break;
        case 'm': options.mandatory = true; break;
        case 'p': options.processes = true; break;
        default: usage();
        }
    }
    if (optind != argc || !options.dir)
        usage();
}

static void name_socket(char *path, const char *node)
{
    int length = snprintf(path, PATH_MAX, "%s/reference-%ld-%s.ipc", options.dir, (long)supervisor, node);

    if (length >= PATH_MAX) {
        errno = ENAMETOOLONG;
        fail("--dir");
    }
}

int main(int argc, char **argv)
{
    static struct tally total;
    struct rlimit files;

    parse(argc, argv);
    supervisor = getpid();
    name_socket(guests_path, "guests");
    name_socket(el3_path, "el3");

    /* Many guests in one process need more files than the usual soft limit grants. */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }

    /* Blocked here and, by inheritance, in every node: only the supervisor acts on them. */
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGHUP);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGTERM);
    sigprocmask(SIG_BLOCK, &handled, NULL);

    run(&total);
    if (total.calls == 0)
        fail_because("result", "no call was completed in time");
    printf("{\"calls\": %llu, \"seconds\": %.3f, \"calls_per_s\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
           (unsigned long long)total.calls, options.seconds, (double)total.calls / options.seconds,
           tally_quantile_us(&total, 0.50), tally_quantile_us(&total, 0.99));
    if (fflush(stdout) == EOF)
        fail("output");
    return 0;
}
