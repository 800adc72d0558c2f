// The peer: a plain OpenSSL server over two memory BIOs.
#ifndef TLS_CLIENT_CERT_TEST_MEMORY_SERVER_H_
#define TLS_CLIENT_CERT_TEST_MEMORY_SERVER_H_

#include <optional>
#include <string>
#include <vector>

#include "bytes.h"
#include "error_stack.h"
#include "pki.h"
#include "pointers.h"

namespace tls_client_cert::test {

// kLater: not in the handshake, only in RequestPostHandshake().
enum class ClientAuth { kNone, kRequest, kRequire, kLater };

struct ServerOptions {
  int version = 0;                     // the only one; 0: whatever is built in
  const Identity* identity = nullptr;  // null: ThePki().server
  ClientAuth auth = ClientAuth::kRequest;
  std::vector<X509*> authorities;  // named in the request
  std::string client_schemes;      // in the request; empty: OpenSSL's default
  std::string groups;              // empty: OpenSSL's default
  Bytes certificate_schemes;       // body of signature_algorithms_cert, if any
  bool judges = false;             // refuses what Root A did not issue
  bool closes_tickets = true;      // sends no session tickets
  size_t tickets = 2;              // TLS 1.3, unless it closes them
  bool keeps_sessions = false;     // in its own cache: a ticket is an id
  bool resumes_renegotiated = false;  // in a renegotiation: abbreviates it
  bool refuses_renegotiation = false;
  bool ignores_rfc5746 = false;  // as if it had never heard of it
  size_t max_fragment = 0;       // of a record; 0: OpenSSL's default
  std::string alpn_protocol;     // chosen when the client offers it
  // Another server's, to resume what that one made. Of the above, only what
  // needs no SSL_CTX counts then: schemes of certificates, ALPN, RFC 5746.
  SSL_CTX* context = nullptr;
};

class MemoryServer {
 public:
  explicit MemoryServer(const ServerOptions& options);
  MemoryServer(const MemoryServer&) = delete;
  MemoryServer& operator=(const MemoryServer&) = delete;

  void Receive(BytesView ciphertext);
  // Ciphertext for the client since the last call.
  Bytes Take();
  // Goes as far as what was received allows.
  void Advance();

  void Write(BytesView plaintext);
  void Close();
  // TLS 1.2: HelloRequest, answered by a full handshake unless the server
  // resumes_renegotiated.
  void Renegotiate(const char* client_schemes = nullptr);
  // TLS 1.3: CertificateRequest. False when the client did not allow it.
  bool RequestPostHandshake(const char* client_schemes = nullptr);

  bool open() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  bool failed() const { return failed_; }
  bool client_closed() const { return client_closed_; }
  const Bytes& plaintext() const { return plaintext_; }
  // Leaf first, in DER, as the client sent it; empty: it sent none.
  std::vector<Bytes> client_chain() const;
  std::string server_name() const;
  // The types of the handshake messages that the client sent, in order.
  const std::vector<int>& messages() const { return messages_; }
  int CountMessages(int type) const;
  // The description of the last alert from the client.
  std::optional<uint8_t> alert() const { return alert_; }
  SSL* ssl() { return ssl_.get(); }
  SSL_CTX* context() { return ssl_ctx_.get(); }

 private:
  void Configure(const ServerOptions& options);
  void OnMessage(int outgoing, int type, BytesView message);
  void OnFailure(int result);

  Bytes certificate_schemes_;
  std::string alpn_protocol_;
  bool ignores_rfc5746_;
  SslCtxPointer ssl_ctx_;
  Bytes plaintext_;
  std::vector<int> messages_;
  std::optional<uint8_t> alert_;
  bool failed_ = false;
  bool client_closed_ = false;
  SslPointer ssl_;
};

}  // namespace tls_client_cert::test

#endif  // TLS_CLIENT_CERT_TEST_MEMORY_SERVER_H_
