// The floor: what a plain program over blocking sockets needs for the same work.
//
//     client CA CERT KEY receive PORT BYTES
//     client CA CERT KEY send PORT BYTES
//     client CA CERT KEY handshakes PORT COUNT
//     client version
//
// It is an ordinary loop over SSL_read(3), SSL_write(3) and SSL_connect(3), as their manual pages
// have it and with OpenSSL's defaults, neither tuned nor hindered. Prints its own CPU seconds and
// the wall clock's for the work alone, without start and, of a transfer, without the handshake.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

// Before the clock starts: code and memory that are touched for the first time.
enum { kWarmUpHandshakes = 20, kRecord = 16 * 1024 };

static SSL_CTX* context;
static int port;

typedef struct {
  double cpu;
  double wall;
} Clock;

static Clock Now(void) {
  struct rusage usage;
  struct timespec wall;
  if (getrusage(RUSAGE_SELF, &usage) != 0 || clock_gettime(CLOCK_MONOTONIC, &wall) != 0) {
    Die("the clock");
  }
  return (Clock){
      .cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
      .wall = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9,
  };
}

static SSL* Connect(void) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof address) != 0) Die("connect");
  SSL* ssl = SSL_new(context);
  if (ssl == NULL || !SSL_set_fd(ssl, fd) || !SSL_set_tlsext_host_name(ssl, "localhost") ||
      !SSL_set1_host(ssl, "localhost")) {
    Die("the connection");
  }
  if (SSL_connect(ssl) != 1) Die("SSL_connect");
  return ssl;
}

static void Close(SSL* ssl) {
  const int fd = SSL_get_fd(ssl);
  SSL_shutdown(ssl);
  SSL_free(ssl);
  close(fd);
}

static void Say(SSL* ssl, const char* verb, long long bytes) {
  char line[64];
  const int length = snprintf(line, sizeof line, "%s %lld\n", verb, bytes);
  WriteAll(ssl, line, (size_t)length);
}

static void Receive(SSL* ssl, long long bytes) {
  static char buffer[kRecord];
  Say(ssl, "source", bytes);
  for (long long left = bytes; left > 0;) {
    const int got = SSL_read(ssl, buffer, sizeof buffer);
    if (got <= 0) Die("SSL_read");
    left -= got;
    if (left < 0) Die("more than was asked for");
  }
}

static void Send(SSL* ssl, long long bytes) {
  static char piece[kPiece];
  char line[64];
  char expected[64];
  Say(ssl, "sink", bytes);
  for (long long left = bytes; left > 0; left -= kPiece) {
    WriteAll(ssl, piece, left < kPiece ? (size_t)left : kPiece);
  }
  // Over when the server says that it has all of it.
  snprintf(expected, sizeof expected, "sunk %lld", bytes);
  if (!ReadLine(ssl, line, sizeof line) || strcmp(line, expected) != 0) Die("the server's count");
}

// One is: connect, handshake, a byte from the server, its close_notify, close.
static void Handshakes(long long count) {
  for (long long i = 0; i < count; i++) {
    char byte;
    SSL* ssl = Connect();
    if (SSL_read(ssl, &byte, 1) != 1) Die("the server accepted no certificate");
    const int end = SSL_read(ssl, &byte, 1);
    if (SSL_get_error(ssl, end) != SSL_ERROR_ZERO_RETURN) Die("the server's end");
    Close(ssl);
  }
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "version") == 0) {
    puts(OpenSSL_version(OPENSSL_VERSION_STRING));
    return 0;
  }
  if (argc != 7) {
    fprintf(stderr, "usage: client CA CERT KEY receive|send|handshakes PORT BYTES|COUNT\n");
    return 2;
  }
  const char* work = argv[4];
  const long long amount = atoll(argv[6]);
  port = atoi(argv[5]);
  signal(SIGPIPE, SIG_IGN);
  context = NewContext(TLS_client_method(), argv[1], argv[2], argv[3]);
  Clock start;
  if (strcmp(work, "handshakes") == 0) {
    Handshakes(kWarmUpHandshakes);
    start = Now();
    Handshakes(amount);
  } else {
    SSL* ssl = Connect();
    start = Now();
    if (strcmp(work, "receive") == 0) {
      Receive(ssl, amount);
    } else {
      Send(ssl, amount);
    }
  }
  const Clock end = Now();
  printf("{\"cpu\":%.6f,\"wall\":%.6f}\n", end.cpu - start.cpu, end.wall - start.wall);
  return 0;
}
