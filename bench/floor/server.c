// The server of the transfers and the messages: a thread for each connection, which demands a
// client certificate and then does what its client says, a line each:
//
//     source BYTES   sends so many
//     sink BYTES     takes so many and says "sunk BYTES"
//     echo BYTES     sends back messages of that size until the client ends
//
//     server CA CERT KEY
//
// Prints its port; ends with its input. It has to be faster than any client, or the clients
// would be measured waiting: so it gathers records into few system calls.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

enum { kGathered = 256 * 1024, kLargestMessage = 64 * 1024 };

static SSL_CTX* context;

static void Source(SSL* ssl, long long bytes) {
  static const char piece[kPiece];
  size_t written;
  for (long long left = bytes; left > 0; left -= kPiece) {
    // A client that went away is no failure of the server's.
    if (SSL_write_ex(ssl, piece, left < kPiece ? (size_t)left : kPiece, &written) != 1) return;
  }
}

static void Sink(SSL* ssl, char* buffer, long long bytes) {
  char line[64];
  size_t got;
  for (long long left = bytes; left > 0; left -= (long long)got) {
    if (SSL_read_ex(ssl, buffer, left < kPiece ? (size_t)left : kPiece, &got) != 1) return;
  }
  const int length = snprintf(line, sizeof line, "sunk %lld\n", bytes);
  SSL_write_ex(ssl, line, (size_t)length, &got);
}

static void Echo(SSL* ssl, char* buffer, size_t size) {
  size_t got;
  if (size == 0 || size > kLargestMessage) return;
  for (;;) {
    for (size_t filled = 0; filled < size; filled += got) {
      if (SSL_read_ex(ssl, buffer + filled, size - filled, &got) != 1) return;
    }
    if (SSL_write_ex(ssl, buffer, size, &got) != 1 || BIO_flush(SSL_get_wbio(ssl)) != 1) return;
  }
}

static void Converse(SSL* ssl) {
  char line[64];
  char* buffer = malloc(kPiece);
  if (buffer == NULL) Die("memory");
  while (ReadLine(ssl, line, sizeof line)) {
    long long bytes;
    if (sscanf(line, "source %lld", &bytes) == 1) {
      Source(ssl, bytes);
    } else if (sscanf(line, "sink %lld", &bytes) == 1) {
      Sink(ssl, buffer, bytes);
    } else if (sscanf(line, "echo %lld", &bytes) == 1) {
      Echo(ssl, buffer, (size_t)bytes);
      break;
    } else {
      break;
    }
    if (BIO_flush(SSL_get_wbio(ssl)) != 1) break;
  }
  free(buffer);
}

static void* Serve(void* argument) {
  const int fd = (int)(intptr_t)argument;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  SSL* ssl = SSL_new(context);
  BIO* incoming = BIO_new_socket(fd, BIO_NOCLOSE);
  BIO* gathering = BIO_new(BIO_f_buffer());
  BIO* socket = BIO_new_socket(fd, BIO_NOCLOSE);
  if (ssl == NULL || incoming == NULL || gathering == NULL || socket == NULL ||
      BIO_set_write_buffer_size(gathering, kGathered) != 1) {
    Die("the connection");
  }
  SSL_set_bio(ssl, incoming, BIO_push(gathering, socket));
  // The tickets that follow the handshake are to leave at once, too.
  if (SSL_accept(ssl) == 1 && BIO_flush(SSL_get_wbio(ssl)) == 1) {
    Converse(ssl);
    SSL_shutdown(ssl);
    BIO_flush(SSL_get_wbio(ssl));
  }
  SSL_free(ssl);
  close(fd);
  return NULL;
}

// Whoever started us is gone: so are we.
static void* WatchInput(void* argument) {
  char byte;
  (void)argument;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  exit(0);
}

static void Detach(void* (*run)(void*), void* argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, argument) != 0) Die("a thread");
  pthread_detach(thread);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: server CA CERT KEY\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  context = NewContext(TLS_server_method(), argv[1], argv[2], argv[3]);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kGathered);
  // Sessions are not for these clients, and one without an id context would be refused.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, (const unsigned char*)"bench", 5);

  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listener < 0 || bind(listener, (struct sockaddr*)&address, size) != 0 ||
      listen(listener, 1024) != 0 ||
      getsockname(listener, (struct sockaddr*)&address, &size) != 0) {
    Die("listen");
  }
  Detach(WatchInput, NULL);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    const int fd = accept(listener, NULL, NULL);
    if (fd < 0) Die("accept");
    Detach(Serve, (void*)(intptr_t)fd);
  }
}
