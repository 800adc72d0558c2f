// The tests of native/openssl in which memory is short. Not with the others:
// an allocator can be put in OpenSSL's way only before it allocates.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "allocator.h"

int main(int argc, char** argv) {
  if (!tls_client_cert::test::faults::InstallAllocator()) {
    std::fputs("OpenSSL has allocated already\n", stderr);
    return 1;
  }
  return doctest::Context(argc, argv).run();
}
