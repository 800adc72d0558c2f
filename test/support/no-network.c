// Preloaded into a process and all that it starts: no name is looked up and no
// socket of IPv4 or IPv6 made, and what was tried is written down in the file
// that TCC_NETWORK_LOG names.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void tried(const char* what, const char* detail) {
  const char* path = getenv("TCC_NETWORK_LOG");
  FILE* log = path == NULL ? NULL : fopen(path, "a");
  if (log == NULL) abort();
  fprintf(log, "%s %s\n", what, detail);
  fclose(log);
}

int socket(int domain, int type, int protocol) {
  if (domain == AF_INET || domain == AF_INET6) {
    tried("socket", domain == AF_INET ? "IPv4" : "IPv6");
    errno = EAFNOSUPPORT;
    return -1;
  }
  static int (*real)(int, int, int);
  if (real == NULL) real = dlsym(RTLD_NEXT, "socket");
  return real(domain, type, protocol);
}

int getaddrinfo(const char* node, const char* service,
                const struct addrinfo* hints, struct addrinfo** result) {
  (void)service;
  (void)hints;
  (void)result;
  tried("getaddrinfo", node == NULL ? "" : node);
  return EAI_FAIL;
}
