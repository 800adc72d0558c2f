// Whole handshakes: both versions, every kind of key, asked or not.
#include "pair.h"

namespace tls_client_cert::test {

TEST_CASE("handshake: a server that asks for nothing gets nothing") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions options = ServerOf(version);
    options.auth = ClientAuth::kNone;
    Pair pair(AskingContext(), options);
    CHECK(pair.RunPastVerify() == Step::kDone);
    pair.Exchange();
    CHECK(pair.server().open());
    CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
    CHECK(pair.client().log().certificate() ==
          HandshakeLog::Certificate::kNotRequested);
    CHECK(pair.client().static_credential() == -1);
  }
}

TEST_CASE("handshake: every kind of key, answered") {
  for (const int version : kVersions) {
    for (const std::string& kind : ClientKinds()) {
      CAPTURE(version);
      CAPTURE(kind);
      const Identity& identity = ThePki().clients.at(kind);
      const Credential::Pointer credential = CredentialOf(identity);
      Pair pair(AskingContext(), ServerOf(version));
      REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
      CHECK_FALSE(pair.client().WhyNotSent(*credential));
      pair.client().Answer(credential);
      CHECK(pair.Run() == Step::kDone);
      pair.Exchange();
      CHECK(pair.server().open());
      CHECK(pair.server().client_chain() == ChainOf(identity));
      CHECK(pair.client().log().certificate() ==
            HandshakeLog::Certificate::kSent);
      CHECK(pair.client().log().signature_scheme().has_value());
    }
  }
}

TEST_CASE("handshake: every kind of key, answered late") {
  for (const int version : kVersions) {
    for (const std::string& kind : ClientKinds()) {
      CAPTURE(version);
      CAPTURE(kind);
      const Identity& identity = ThePki().clients.at(kind);
      Pair pair(AskingContext(), ServerOf(version));
      REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
      for (int i = 0; i < 5; i++) {
        CHECK(pair.Run() == Step::kWantClientCert);
        CHECK(pair.client().attempt() == 1);
        CHECK(pair.client().asked());
      }
      pair.client().Answer(CredentialOf(identity));
      CHECK_FALSE(pair.client().asked());
      CHECK(pair.Run() == Step::kDone);
      pair.Exchange();
      CHECK(pair.server().client_chain() == ChainOf(identity));
      CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 1);
    }
  }
}

TEST_CASE("handshake: fed byte by byte, every pause comes once") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& identity = ThePki().clients.at("rsa");
    Pair pair(AskingContext(), ServerOf(version));
    pair.set_chunk(1);
    CHECK(pair.RunAnswering(CredentialOf(identity)) == Step::kDone);
    pair.Exchange();
    CHECK(pair.server().open());
    CHECK(pair.server().client_chain() == ChainOf(identity));
    CHECK(pair.client().attempt() == 1);
  }
}

TEST_CASE("handshake: two connections of one context, two chains") {
  const Context::Pointer context = AskingContext();
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& a = ThePki().clients.at("p256");
    const Identity& b = ThePki().client_b;
    Pair first(context, ServerOf(version));
    Pair second(context, ServerOf(version));
    REQUIRE(first.RunPastVerify() == Step::kWantClientCert);
    REQUIRE(second.RunPastVerify() == Step::kWantClientCert);
    second.client().Answer(CredentialOf(b));
    CHECK(second.Run() == Step::kDone);
    first.client().Answer(CredentialOf(a));
    CHECK(first.Run() == Step::kDone);
    first.Exchange();
    second.Exchange();
    CHECK(first.server().client_chain() == ChainOf(a));
    CHECK(second.server().client_chain() == ChainOf(b));
  }
}

TEST_CASE("handshake: a chain of none and one the wrong way round are sent") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Identity bare;
    const Identity& model = ThePki().clients.at("p384");
    X509_up_ref(model.certificate.get());
    EVP_PKEY_up_ref(model.key.get());
    bare.certificate.reset(model.certificate.get());
    bare.key.reset(model.key.get());
    // The trust store could complete the chain, and is not asked to.
    const Bytes root = CertificatePem(ThePki().root_a.certificate.get());
    const Bytes intermediate =
        CertificatePem(ThePki().intermediate_a.certificate.get());
    ContextOptions options = TrustingOptions();
    options.trust =
        TrustStore::Create({root, intermediate}, {}, nullptr).value();
    Pair alone(MakeContext(options), ServerOf(version));
    CHECK(alone.RunAnswering(CredentialOf(bare)) == Step::kDone);
    alone.Exchange();
    CHECK(alone.server().client_chain() == ChainOf(bare));

    bare.chain = {ThePki().root_a.certificate.get(),
                  ThePki().intermediate_a.certificate.get()};
    Pair swapped(AskingContext(), ServerOf(version));
    CHECK(swapped.RunAnswering(CredentialOf(bare)) == Step::kDone);
    swapped.Exchange();
    CHECK(swapped.server().client_chain() == ChainOf(bare));
  }
}

TEST_CASE("handshake: names, protocol, cipher and ALPN are as agreed") {
  ConnectionOptions options;
  options.server_name = "server.example";
  options.alpn_protocols = {2, 'h', '2', 3, 'x', '/', '1'};
  ServerOptions server = ServerOf(TLS1_3_VERSION);
  server.auth = ClientAuth::kNone;
  Pair pair(AskingContext(), server, options);
  SSL_CTX_set_alpn_select_cb(
      SSL_get_SSL_CTX(pair.server().ssl()),
      [](SSL*, const unsigned char** out, unsigned char* size,
         const unsigned char* in, unsigned, void*) {
        *out = in + 4;  // the second one offered
        *size = 3;
        return SSL_TLSEXT_ERR_OK;
      },
      nullptr);
  REQUIRE(pair.RunPastVerify() == Step::kDone);
  CHECK(pair.server().server_name() == "server.example");
  CHECK(std::string(pair.client().protocol()) == "TLSv1.3");
  const BytesView alpn = pair.client().alpn_protocol();
  CHECK(std::string(alpn.chars(), alpn.size) == "x/1");
  CHECK(std::string(pair.client().cipher().name) == "TLS_AES_256_GCM_SHA384");
  CHECK(std::string(pair.client().cipher().standard) ==
        "TLS_AES_256_GCM_SHA384");
  REQUIRE(sk_X509_num(pair.client().peer_chain()) == 2);
  CHECK(CertificateDer(sk_X509_value(pair.client().peer_chain(), 0)) ==
        ChainOf(ThePki().server)[0]);
}

TEST_CASE("handshake: the versions a context allows are those it speaks") {
  ContextOptions options = TrustingOptions();
  options.max_version = TLS1_2_VERSION;
  ServerOptions server;
  server.auth = ClientAuth::kNone;
  Pair old(MakeContext(options), server);
  CHECK(old.RunPastVerify() == Step::kDone);
  CHECK(std::string(old.client().protocol()) == "TLSv1.2");

  options.min_version = TLS1_2_VERSION;
  Pair never(MakeContext(options), ServerOf(TLS1_3_VERSION));
  CHECK(never.Run() == Step::kFailed);
  CHECK(never.client().failure()->reason == FailureReason::kProtocol);
}

}  // namespace tls_client_cert::test
