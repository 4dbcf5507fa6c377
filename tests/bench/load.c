// load: a small RESP load generator with exact timing. Compiled by the scripts that need it:
//   cc -O2 -o load load.c
//
//   fill   every key of [first, first + keys) once, pipelined
//   sat    closed loop: --window requests in flight on each of --conns connections; with --batch 1 a
//          connection sends its window at once and waits for all replies (as pipelining clients do)
//   rate   open loop on one connection: request i is due at start + i / rate and its latency counts
//          from then, so a stall of the server counts in full for every request that it delays
//
// Requests (--op): set get mget (of 10) ping, and mix: PING, until SIGUSR1 tells that writing is
// allowed, then PING and SET in turn. Keys are "key:" and 12 digits, drawn at random; values are
// random bytes, which no compression shrinks. Ends after --secs, --requests or SIGTERM, waits for
// the outstanding replies, prints one JSON line. --timeline FILE gets "ms,done,max_us" per
// --interval ms; latencies are filed under the time when the request was due, so that the worst of
// them stands where the stall began.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { kConnsMax = 1024, kKeyBytes = 16, kMget = 10, kReadBytes = 1 << 18 };
enum Op { kSet, kGet, kMgetOp, kPing, kMix };

// One connection: bytes to send, times of the requests in flight, state of the reply parser.
typedef struct {
  int fd;
  char* out;
  size_t out_size, out_begin, out_end;
  uint64_t* due;  // ring, due_size is a power of two
  size_t due_size, due_head, due_tail;
  char line[128];
  int line_bytes;
  size_t body_left;    // of a bulk string
  long elements_left;  // of an array
} Conn;

typedef struct {
  uint64_t done, max_ns;
} Slice;

static const char* mode = "sat";
static enum Op op = kSet;
static int port, conns_count = 1, window = 32, batch, fifo, interval_ms = 100, value_bytes = 64;
static uint64_t keys = 1000000, first, rate = 1000, requests_max = UINT64_MAX;
static double secs = 1e9;
static const char* timeline_path;

static volatile sig_atomic_t stopped, may_write;
static Conn conns[kConnsMax];
static Slice* slices;
static size_t slices_count;
static uint64_t start_ns, sent, done, errors, missing, worst_ns, random_state = 88172645463325252ull;
static char first_error[120];
// Latency histogram, 16 buckets an octave.
static uint64_t buckets[64 * 16];

static void OnTerm(int signal) { (void)signal; stopped = 1; }
static void OnUsr1(int signal) { (void)signal; may_write = 1; }

static void Die(const char* what) {
  perror(what);
  exit(2);
}

static uint64_t Now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t Random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state * 0x2545F4914F6CDD1Dull;
}

static int BucketOf(uint64_t ns) {
  if (ns < 16) return (int)ns;
  const int octave = 63 - __builtin_clzll(ns);
  return (octave - 3) * 16 + (int)(ns >> (octave - 4) & 15);
}

static double BucketTopUs(int bucket) {
  if (bucket < 16) return bucket / 1e3;
  const int octave = bucket / 16 + 3;
  return (double)((uint64_t)(17 + bucket % 16) << (octave - 4)) / 1e3;
}

static double PercentileUs(double share) {
  uint64_t seen = 0;
  for (int i = 0; i < 64 * 16; i++) {
    seen += buckets[i];
    if (seen > 0 && (double)seen >= share * (double)done) return BucketTopUs(i);
  }
  return 0;
}

static Slice* SliceAt(uint64_t ns) {
  const size_t index = ns < start_ns ? 0 : (ns - start_ns) / ((uint64_t)interval_ms * 1000000u);
  if (index >= slices_count) {
    const size_t count = index + 1024;
    slices = realloc(slices, count * sizeof *slices);
    memset(slices + slices_count, 0, (count - slices_count) * sizeof *slices);
    slices_count = count;
  }
  return &slices[index];
}

static char* Room(Conn* c, size_t bytes) {
  if (c->out_begin == c->out_end) c->out_begin = c->out_end = 0;
  while (c->out_end + bytes > c->out_size) {
    c->out_size *= 2;
    c->out = realloc(c->out, c->out_size);
  }
  return c->out + c->out_end;
}

static char* PutKey(char* p, uint64_t key) {
  memcpy(p, "$16\r\nkey:", 9);
  for (int digit = 11; digit >= 0; digit--, key /= 10) p[9 + digit] = (char)('0' + key % 10);
  memcpy(p + 21, "\r\n", 2);
  return p + 23;
}

static void AddRequest(Conn* c, uint64_t key, uint64_t due) {
  char* const begin = Room(c, (size_t)value_bytes + 512);
  char* p = begin;
  enum Op what = op;
  if (what == kMix) what = may_write && sent % 2 == 1 ? kSet : kPing;
  switch (what) {
    case kSet:
      p = PutKey(p + sprintf(p, "*3\r\n$3\r\nSET\r\n"), key);
      p += sprintf(p, "$%d\r\n", value_bytes);
      for (int i = 0; i < value_bytes; i += 8) {
        const uint64_t random = Random();
        memcpy(p + i, &random, 8);
      }
      memcpy(p + value_bytes, "\r\n", 2);
      p += value_bytes + 2;
      break;
    case kGet:
      p = PutKey(p + sprintf(p, "*2\r\n$3\r\nGET\r\n"), key);
      break;
    case kMgetOp:
      p += sprintf(p, "*%d\r\n$4\r\nMGET\r\n", kMget + 1);
      for (int i = 0; i < kMget; i++) p = PutKey(p, first + Random() % keys);
      break;
    default:
      p += sprintf(p, "*1\r\n$4\r\nPING\r\n");
  }
  c->out_end += (size_t)(p - begin);
  if (c->due_tail - c->due_head == c->due_size) {
    uint64_t* bigger = malloc(2 * c->due_size * sizeof *bigger);
    for (size_t i = c->due_head; i < c->due_tail; i++) {
      bigger[i - c->due_head] = c->due[i & (c->due_size - 1)];
    }
    c->due_tail -= c->due_head;
    c->due_head = 0;
    c->due_size *= 2;
    free(c->due);
    c->due = bigger;
  }
  c->due[c->due_tail++ & (c->due_size - 1)] = due;
  sent++;
}

static void TakeReply(Conn* c, uint64_t now) {
  if (c->due_head == c->due_tail) {
    fprintf(stderr, "a reply that nobody asked for\n");
    exit(2);
  }
  const uint64_t due = c->due[c->due_head++ & (c->due_size - 1)];
  const uint64_t took = now > due ? now - due : 0;
  Slice* slice = SliceAt(now);
  slice->done++;
  slice = SliceAt(due);
  if (took > slice->max_ns) slice->max_ns = took;
  if (took > worst_ns) worst_ns = took;
  buckets[BucketOf(took)]++;
  done++;
}

// One element of a reply is complete; nested arrays do not occur here.
static void TakeElement(Conn* c, uint64_t now) {
  if (c->elements_left > 0 && --c->elements_left > 0) return;
  TakeReply(c, now);
}

static void Parse(Conn* c, const char* p, size_t bytes, uint64_t now) {
  while (bytes > 0) {
    if (c->body_left > 0) {
      const size_t part = bytes < c->body_left ? bytes : c->body_left;
      c->body_left -= part;
      p += part;
      bytes -= part;
      if (c->body_left == 0) TakeElement(c, now);
      continue;
    }
    const char* end = memchr(p, '\n', bytes);
    const size_t part = end ? (size_t)(end - p) + 1 : bytes;
    for (size_t i = 0; i < part && c->line_bytes < (int)sizeof c->line - 1; i++) {
      c->line[c->line_bytes++] = p[i];
    }
    p += part;
    bytes -= part;
    if (!end) return;
    c->line[c->line_bytes] = 0;
    c->line_bytes = 0;
    const long number = atol(c->line + 1);
    if (c->line[0] == '*') {
      c->elements_left = number;
      if (number > 0) continue;
    } else if (c->line[0] == '$') {
      if (number >= 0) {
        c->body_left = (size_t)number + 2;
        continue;
      }
      missing++;
    } else if (c->line[0] == '-') {
      if (errors++ == 0) {
        snprintf(first_error, sizeof first_error, "%.100s", c->line + 1);
        first_error[strcspn(first_error, "\r\n\"\\")] = 0;
      }
    }
    TakeElement(c, now);
  }
}

static void Flush(Conn* c) {
  while (c->out_begin < c->out_end) {
    const ssize_t bytes = write(c->fd, c->out + c->out_begin, c->out_end - c->out_begin);
    if (bytes < 0 && errno == EAGAIN) return;
    if (bytes < 0) Die("write");
    c->out_begin += (size_t)bytes;
  }
}

// False: the server hung up.
static int Receive(Conn* c) {
  static char input[kReadBytes];
  const ssize_t bytes = read(c->fd, input, sizeof input);
  if (bytes < 0 && errno == EAGAIN) return 1;
  if (bytes <= 0) return 0;
  Parse(c, input, (size_t)bytes, Now());
  return 1;
}

static void Connect(Conn* c) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->fd, (void*)&address, sizeof address) != 0) Die("connect");
  const int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->out_size = 1 << 20;
  c->out = malloc(c->out_size);
  c->due_size = 1 << 12;
  c->due = malloc(c->due_size * sizeof *c->due);
}

static uint64_t DueNs(uint64_t request) {
  return start_ns + (uint64_t)((double)request * 1e9 / (double)rate);
}

// Adds what may be sent now.
static void Offer(Conn* c, uint64_t now) {
  if (strcmp(mode, "fill") == 0) {
    while (sent < keys && c->due_tail - c->due_head < 4096 && c->out_end - c->out_begin < 1 << 18) {
      AddRequest(c, first + sent, now);
    }
  } else if (strcmp(mode, "rate") == 0) {
    while (sent < requests_max && DueNs(sent) <= now) {
      AddRequest(c, first + Random() % keys, DueNs(sent));
    }
  } else {
    const size_t in_flight = c->due_tail - c->due_head;
    if (batch && in_flight > 0) return;
    for (size_t i = in_flight; i < (size_t)window && sent < requests_max; i++) {
      AddRequest(c, first + Random() % keys, now);
    }
  }
}

static void Run(void) {
  static struct pollfd waited[kConnsMax];
  const uint64_t end = start_ns + (uint64_t)(secs < 1e8 ? secs * 1e9 : 1e17);
  const int is_rate = strcmp(mode, "rate") == 0;
  uint64_t limit = 0;
  for (;;) {
    const uint64_t now = Now();
    const int ending = stopped || now >= end || sent >= requests_max ||
                       (strcmp(mode, "fill") == 0 && sent >= keys);
    if (ending && limit == 0) limit = now + 60000000000u;
    if (ending && (done == sent || now > limit)) return;
    for (int i = 0; i < conns_count; i++) {
      if (!ending) Offer(&conns[i], now);
      Flush(&conns[i]);
      waited[i].fd = conns[i].fd;
      waited[i].events = POLLIN;
      if (conns[i].out_begin < conns[i].out_end) waited[i].events |= POLLOUT;
    }
    struct timespec pause = {.tv_nsec = 10000000};
    if (is_rate && !ending) {
      const uint64_t later = Now(), due = DueNs(sent);
      pause.tv_nsec = due > later ? (long)(due - later) % 1000000000 : 0;
    }
    if (ppoll(waited, (nfds_t)conns_count, &pause, NULL) <= 0) continue;
    for (int i = 0; i < conns_count; i++) {
      if (waited[i].revents & ~POLLOUT && !Receive(&conns[i])) {
        fprintf(stderr, "the server closed a connection\n");
        return;
      }
    }
  }
}

static void Options(int argc, char** argv) {
  static const char* const kOps[] = {"set", "get", "mget", "ping", "mix"};
  if (argc > 1) mode = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (!strcmp(name, "--port")) port = atoi(value);
    else if (!strcmp(name, "--conns")) conns_count = atoi(value);
    else if (!strcmp(name, "--window")) window = atoi(value);
    else if (!strcmp(name, "--batch")) batch = atoi(value);
    else if (!strcmp(name, "--keys")) keys = strtoull(value, NULL, 10);
    else if (!strcmp(name, "--first")) first = strtoull(value, NULL, 10);
    else if (!strcmp(name, "--value")) value_bytes = atoi(value);
    else if (!strcmp(name, "--rate")) rate = strtoull(value, NULL, 10);
    else if (!strcmp(name, "--requests")) requests_max = strtoull(value, NULL, 10);
    else if (!strcmp(name, "--secs")) secs = atof(value);
    else if (!strcmp(name, "--interval")) interval_ms = atoi(value);
    else if (!strcmp(name, "--timeline")) timeline_path = value;
    else if (!strcmp(name, "--fifo")) fifo = atoi(value);
    else if (!strcmp(name, "--seed")) random_state ^= strtoull(value, NULL, 10) << 20;
    else if (!strcmp(name, "--op")) {
      for (int o = 0; o < 5; o++) if (!strcmp(value, kOps[o])) op = (enum Op)o;
    } else {
      fprintf(stderr, "load: unknown option %s\n", name);
      exit(2);
    }
  }
  if (strcmp(mode, "sat") != 0) conns_count = 1;
  if (port == 0 || conns_count < 1 || conns_count > kConnsMax || keys == 0) {
    fprintf(stderr, "usage: load fill|sat|rate --port N [options, see load.c]\n");
    exit(2);
  }
}

int main(int argc, char** argv) {
  Options(argc, argv);
  signal(SIGTERM, OnTerm);
  signal(SIGINT, OnTerm);
  signal(SIGUSR1, OnUsr1);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);
  if (fifo) {  // best effort: only root may
    const struct sched_param param = {.sched_priority = 20};
    sched_setscheduler(0, SCHED_FIFO, &param);
  }
  for (int i = 0; i < conns_count; i++) Connect(&conns[i]);
  start_ns = Now();
  Run();
  const double took = (double)(Now() - start_ns) / 1e9;
  FILE* timeline = timeline_path ? fopen(timeline_path, "w") : NULL;
  if (timeline) {
    for (size_t i = 0; i < slices_count; i++) {
      if (slices[i].done == 0 && slices[i].max_ns == 0) continue;
      fprintf(timeline, "%zu,%llu,%.1f\n", i * (size_t)interval_ms,
              (unsigned long long)slices[i].done, (double)slices[i].max_ns / 1e3);
    }
    fclose(timeline);
  }
  printf("{\"start_s\":%.9f,\"secs\":%.6f,\"sent\":%llu,\"done\":%llu,\"per_s\":%.1f,\"errors\":%llu,"
         "\"first_error\":\"%s\",\"missing\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f}\n",
         (double)start_ns / 1e9, took, (unsigned long long)sent, (unsigned long long)done,
         (double)done / took, (unsigned long long)errors, first_error, (unsigned long long)missing,
         PercentileUs(.5), PercentileUs(.99), PercentileUs(.999), (double)worst_ns / 1e3);
  return errors > 0 || sent != done ? 1 : 0;
}
