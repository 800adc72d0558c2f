// What a connection writes down for whoever wants to look into it: its
// secrets, and its messages.
#ifndef TLS_CLIENT_CERT_OPENSSL_JOURNAL_H_
#define TLS_CLIENT_CERT_OPENSSL_JOURNAL_H_

#include <utility>
#include <vector>

#include "bytes.h"
#include "pointers.h"

namespace tls_client_cert {

class Journal {
 public:
  // SSL_CTX_set_keylog_callback(3): one line, without its end.
  void AddKeyLine(const char* line);
  // With their ends.
  std::vector<SecretBytes> TakeKeyLines() {
    return std::exchange(key_lines_, {});
  }

  // SSL_trace(3). False where OpenSSL was built without.
  bool BeginTrace();
  bool tracing() const { return trace_ != nullptr; }
  // The arguments of SSL_CTX_set_msg_callback(3).
  void Trace(int outgoing, int version, int content_type, BytesView message,
             SSL* ssl);
  Bytes TakeTrace();

  bool empty() const;

 private:
  std::vector<SecretBytes> key_lines_;
  BioPointer trace_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_JOURNAL_H_
