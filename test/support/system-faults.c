// Preloaded into a test's child process: makes a system call on an IPv4 socket
// fail. Which one, the environment says at the time of the call:
//   TCC_FAULT="<function> <nth> <errno> <how often>"
// Calls of that function are counted from when it was set.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static char current[64];
static int calls;

static int on_socket(int descriptor) {
  int domain = 0;
  socklen_t size = sizeof domain;
  static int (*real)(int, int, int, void*, socklen_t*);
  if (real == NULL) real = dlsym(RTLD_NEXT, "getsockopt");
  return real(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
         domain == AF_INET;
}

// errno is set when it says yes.
static int fails(const char* function, int descriptor) {
  const char* fault = getenv("TCC_FAULT");
  if (fault == NULL || *fault == '\0') return 0;
  char name[32];
  int nth = 0;
  int error = 0;
  int times = 0;
  if (sscanf(fault, "%31s %d %d %d", name, &nth, &error, &times) != 4) abort();
  if (strcmp(name, function) != 0) return 0;
  const int before = errno;
  const int ours = on_socket(descriptor);
  errno = before;
  if (!ours) return 0;
  if (strcmp(current, fault) != 0) {
    snprintf(current, sizeof current, "%s", fault);
    calls = 0;
  }
  calls++;
  if (calls < nth || calls >= nth + times) return 0;
  errno = error;
  return 1;
}

#define REAL(type, name, ...)         \
  static type (*real)(__VA_ARGS__);   \
  if (real == NULL) real = dlsym(RTLD_NEXT, #name)

ssize_t recv(int descriptor, void* data, size_t size, int flags) {
  REAL(ssize_t, recv, int, void*, size_t, int);
  return fails("recv", descriptor) ? -1 : real(descriptor, data, size, flags);
}

ssize_t send(int descriptor, const void* data, size_t size, int flags) {
  REAL(ssize_t, send, int, const void*, size_t, int);
  return fails("send", descriptor) ? -1 : real(descriptor, data, size, flags);
}

int shutdown(int descriptor, int how) {
  REAL(int, shutdown, int, int);
  return fails("shutdown", descriptor) ? -1 : real(descriptor, how);
}

int getpeername(int descriptor, struct sockaddr* address, socklen_t* size) {
  REAL(int, getpeername, int, struct sockaddr*, socklen_t*);
  return fails("getpeername", descriptor) ? -1
                                          : real(descriptor, address, size);
}

int getsockname(int descriptor, struct sockaddr* address, socklen_t* size) {
  REAL(int, getsockname, int, struct sockaddr*, socklen_t*);
  return fails("getsockname", descriptor) ? -1
                                          : real(descriptor, address, size);
}

int setsockopt(int descriptor, int level, int name, const void* value,
               socklen_t size) {
  REAL(int, setsockopt, int, int, int, const void*, socklen_t);
  return fails("setsockopt", descriptor)
             ? -1
             : real(descriptor, level, name, value, size);
}

// Not asked for by its socket only: it is the same call whatever is closed.
// The descriptor is gone all the same, as close(2) has it.
int close(int descriptor) {
  REAL(int, close, int);
  const int failed = fails("close", descriptor);
  const int error = errno;
  const int result = real(descriptor);
  if (!failed) return result;
  errno = error;
  return -1;
}

int fcntl(int descriptor, int command, ...) {
  REAL(int, fcntl, int, int, ...);
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  if (command == F_DUPFD_CLOEXEC && fails("dup", descriptor)) return -1;
  return real(descriptor, command, argument);
}

int fcntl64(int descriptor, int command, ...)
    __attribute__((alias("fcntl")));

// The first that libuv does with a descriptor it is to poll.
int epoll_ctl(int poll, int operation, int descriptor,
              struct epoll_event* event) {
  REAL(int, epoll_ctl, int, int, int, struct epoll_event*);
  // Elsewhere libuv does not bear it.
  if (operation == EPOLL_CTL_ADD && event->events == EPOLLIN &&
      fails("epoll_ctl", descriptor)) {
    return -1;
  }
  return real(poll, operation, descriptor, event);
}

int ioctl(int descriptor, unsigned long request, ...) {
  REAL(int, ioctl, int, unsigned long, ...);
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  if (request == FIONBIO && fails("ioctl", descriptor)) return -1;
  return real(descriptor, request, argument);
}
