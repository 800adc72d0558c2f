#include "memory_server.h"

#include <doctest/doctest.h>
#include <openssl/err.h>

namespace tls_client_cert::test {

namespace {

constexpr unsigned kSignatureAlgorithmsCert = 50;

// OpenSSL's server reads signature_algorithms_cert but never sends it.
void SendCertificateSchemes(SSL_CTX* ctx, Bytes* body) {
  REQUIRE(SSL_CTX_add_custom_ext(
              ctx, kSignatureAlgorithmsCert, SSL_EXT_TLS1_3_CERTIFICATE_REQUEST,
              [](SSL*, unsigned, unsigned, const unsigned char** out,
                 size_t* size, X509*, size_t, int*, void* argument) {
                const Bytes* bytes = static_cast<const Bytes*>(argument);
                *out = bytes->data();
                *size = bytes->size();
                return 1;
              },
              nullptr, body, nullptr, nullptr) == 1);
}

}  // namespace

MemoryServer::MemoryServer(const ServerOptions& options)
    : certificate_schemes_(options.certificate_schemes),
      ssl_ctx_(SSL_CTX_new(TLS_server_method())) {
  SSL_CTX* ctx = ssl_ctx_.get();
  // What a client should not send is for the client to know.
  SSL_CTX_set_security_level(ctx, 0);
  SSL_CTX_set_min_proto_version(ctx, options.version);
  SSL_CTX_set_max_proto_version(ctx, options.version);
  SSL_CTX_set_options(ctx, SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
  if (options.closes_tickets) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
  }
  const Identity& identity =
      options.identity == nullptr ? ThePki().server : *options.identity;
  REQUIRE(SSL_CTX_use_certificate(ctx, identity.certificate.get()) == 1);
  REQUIRE(SSL_CTX_use_PrivateKey(ctx, identity.key.get()) == 1);
  for (X509* link : identity.chain) {
    REQUIRE(SSL_CTX_add1_chain_cert(ctx, link) == 1);
  }
  int mode = SSL_VERIFY_NONE;
  if (options.auth != ClientAuth::kNone) mode |= SSL_VERIFY_PEER;
  if (options.auth == ClientAuth::kRequire) {
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  SSL_CTX_set_verify(ctx, mode, nullptr);
  if (options.judges) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx),
                        ThePki().root_a.certificate.get());
  } else {
    SSL_CTX_set_cert_verify_callback(
        ctx, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  }
  for (X509* authority : options.authorities) {
    REQUIRE(SSL_CTX_add_client_CA(ctx, authority) == 1);
  }
  if (!options.client_schemes.empty()) {
    REQUIRE(SSL_CTX_set1_client_sigalgs_list(
                ctx, options.client_schemes.c_str()) == 1);
  }
  if (!options.groups.empty()) {
    REQUIRE(SSL_CTX_set1_groups_list(ctx, options.groups.c_str()) == 1);
  }
  if (!certificate_schemes_.empty()) {
    SendCertificateSchemes(ctx, &certificate_schemes_);
  }
  SSL_CTX_set_msg_callback(
      ctx, [](int outgoing, int, int type, const void* message, size_t size,
              SSL* ssl, void*) {
        static_cast<MemoryServer*>(SSL_get_app_data(ssl))
            ->OnMessage(outgoing, type,
                        BytesView(static_cast<const uint8_t*>(message), size));
      });

  ssl_.reset(SSL_new(ctx));
  REQUIRE(ssl_ != nullptr);
  SSL_set_app_data(ssl_.get(), this);
  BIO* in = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in, -1);
  SSL_set_bio(ssl_.get(), in, BIO_new(BIO_s_mem()));
  SSL_set_accept_state(ssl_.get());
}

void MemoryServer::Receive(BytesView ciphertext) {
  if (ciphertext.size == 0) return;
  BIO_write(SSL_get_rbio(ssl_.get()), ciphertext.data,
            static_cast<int>(ciphertext.size));
}

Bytes MemoryServer::Take() {
  BIO* out = SSL_get_wbio(ssl_.get());
  Bytes taken(BIO_ctrl_pending(out));
  if (!taken.empty()) {
    BIO_read(out, taken.data(), static_cast<int>(taken.size()));
  }
  return taken;
}

void MemoryServer::Advance() {
  if (failed_) return;
  ERR_clear_error();
  if (!open()) {
    const int result = SSL_do_handshake(ssl_.get());
    if (result != 1) return OnFailure(result);
  }
  uint8_t buffer[16384];
  while (true) {
    const int count = SSL_read(ssl_.get(), buffer, sizeof(buffer));
    if (count <= 0) return OnFailure(count);
    plaintext_.insert(plaintext_.end(), buffer, buffer + count);
  }
}

void MemoryServer::OnFailure(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      break;
    case SSL_ERROR_ZERO_RETURN:
      client_closed_ = true;
      break;
    default:
      failed_ = true;
  }
  ERR_clear_error();
}

void MemoryServer::Write(BytesView plaintext) {
  size_t written = 0;
  REQUIRE(SSL_write_ex(ssl_.get(), plaintext.data, plaintext.size, &written) ==
          1);
  REQUIRE(written == plaintext.size);
}

void MemoryServer::Close() { SSL_shutdown(ssl_.get()); }

void MemoryServer::Renegotiate(const char* client_schemes) {
  if (client_schemes != nullptr) {
    REQUIRE(SSL_set1_client_sigalgs_list(ssl_.get(), client_schemes) == 1);
  }
  REQUIRE(SSL_renegotiate(ssl_.get()) == 1);
  REQUIRE(SSL_do_handshake(ssl_.get()) == 1);
}

std::vector<Bytes> MemoryServer::client_chain() const {
  std::vector<Bytes> chain;
  const X509Pointer leaf(SSL_get1_peer_certificate(ssl_.get()));
  if (!leaf) return chain;
  chain.push_back(CertificateDer(leaf.get()));
  // On a server this is without the leaf.
  const STACK_OF(X509)* rest = SSL_get_peer_cert_chain(ssl_.get());
  for (int i = 0; i < sk_X509_num(rest); i++) {
    chain.push_back(CertificateDer(sk_X509_value(rest, i)));
  }
  return chain;
}

std::string MemoryServer::server_name() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

int MemoryServer::CountMessages(int type) const {
  int count = 0;
  for (const int message : messages_) count += message == type ? 1 : 0;
  return count;
}

void MemoryServer::OnMessage(int outgoing, int type, BytesView message) {
  if (outgoing != 0 || message.size == 0) return;
  if (type == SSL3_RT_HANDSHAKE) messages_.push_back(message.data[0]);
  if (type == SSL3_RT_ALERT && message.size == 2) alert_ = message.data[1];
}

}  // namespace tls_client_cert::test
