#include "common.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void Die(const char* what) {
  const unsigned long code = ERR_peek_last_error();
  if (code != 0) {
    char reason[256];
    ERR_error_string_n(code, reason, sizeof reason);
    fprintf(stderr, "%s: %s\n", what, reason);
  } else {
    fprintf(stderr, "%s: %s\n", what, errno == 0 ? "unexpected" : strerror(errno));
  }
  exit(1);
}

SSL_CTX* NewContext(const SSL_METHOD* method, const char* ca, const char* cert, const char* key) {
  SSL_CTX* context = SSL_CTX_new(method);
  if (context == NULL || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
      !SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384") ||
      !SSL_CTX_set1_groups_list(context, "X25519")) {
    Die("the context");
  }
  if (SSL_CTX_use_certificate_chain_file(context, cert) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(context, ca, NULL) != 1) {
    Die("certificates and key");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  return context;
}

void WriteAll(SSL* ssl, const void* bytes, size_t length) {
  size_t written;
  // Without SSL_MODE_ENABLE_PARTIAL_WRITE it is all or nothing.
  if (SSL_write_ex(ssl, bytes, length, &written) != 1) Die("SSL_write");
}

int ReadLine(SSL* ssl, char* line, size_t size) {
  for (size_t i = 0; i < size; i++) {
    size_t got;
    if (SSL_read_ex(ssl, &line[i], 1, &got) != 1) return 0;
    if (line[i] == '\n') {
      line[i] = '\0';
      return 1;
    }
  }
  return 0;
}
