// What the floor's client and its server share: sockets and dying with a reason.
#ifndef BENCH_FLOOR_COMMON_H_
#define BENCH_FLOOR_COMMON_H_

#include <openssl/ssl.h>
#include <stddef.h>

// As a file stream reads, and as the JavaScript clients write.
enum { kPiece = 64 * 1024 };

// Prints what failed, and OpenSSL's or the system's reason, and exits.
_Noreturn void Die(const char* what);

// A context of TLS 1.3 with the one cipher suite and the one group that the benchmark measures.
// It presents `cert` and demands of its peer a certificate that `ca` vouches for.
SSL_CTX* NewContext(const SSL_METHOD* method, const char* ca, const char* cert, const char* key);

// Writes all of it, or dies.
void WriteAll(SSL* ssl, const void* bytes, size_t length);

// Up to a newline, which is left out. False when the peer ended before it.
int ReadLine(SSL* ssl, char* line, size_t size);

#endif  // BENCH_FLOOR_COMMON_H_
