// REQUIRE, for what the tests and the fuzz targets have in common: doctest's in
// a test; elsewhere what does not hold ends the process.
#ifndef TLS_CLIENT_CERT_TEST_REQUIRE_H_
#define TLS_CLIENT_CERT_TEST_REQUIRE_H_

#ifdef TCC_WITHOUT_DOCTEST

#include <cstdio>
#include <cstdlib>

#define TCC_TEXT_OF(what) #what
#define TCC_PLACE_OF(line) TCC_TEXT_OF(line)
#define REQUIRE(...)                                                       \
  do {                                                                     \
    if (__VA_ARGS__) break;                                                \
    std::fputs(__FILE__                                                    \
               ":" TCC_PLACE_OF(__LINE__) ": does not hold: " TCC_TEXT_OF( \
                   (__VA_ARGS__)) "\n",                                    \
               stderr);                                                    \
    std::abort();                                                          \
  } while (false)

#else

#include <doctest/doctest.h>

#endif

#endif  // TLS_CLIENT_CERT_TEST_REQUIRE_H_
