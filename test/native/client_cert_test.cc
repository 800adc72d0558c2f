// The question: when it is put, what it says, and how it may be answered.
#include "client_cert.h"

#include "pair.h"

namespace tls_client_cert::test {

namespace {

const Identity& P256() { return ThePki().clients.at("p256"); }

ConnectionOptions AsksItself() {
  ConnectionOptions options;
  options.asks_for_client_cert = true;
  return options;
}

}  // namespace

TEST_CASE("question: declined, the server sees an empty Certificate") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
    pair.client().Decline();
    CHECK(pair.Run() == Step::kDone);
    pair.Exchange();
    CHECK(pair.server().open());
    CHECK(pair.server().client_chain().empty());
    CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 1);
    CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE_VERIFY) == 0);
    CHECK(pair.client().log().certificate() ==
          HandshakeLog::Certificate::kSentEmpty);
    CHECK_FALSE(pair.client().failure());
  }
}

TEST_CASE("question: asked again, the attempts are counted") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
    CHECK(pair.client().attempt() == 1);
    for (int attempt = 2; attempt < 5; attempt++) {
      pair.client().AskAgain();
      CHECK_FALSE(pair.client().asked());
      CHECK(pair.Run() == Step::kWantClientCert);
      CHECK(pair.client().asked());
      CHECK(pair.client().attempt() == attempt);
    }
    pair.client().Answer(CredentialOf(P256()));
    CHECK(pair.Run() == Step::kDone);
    pair.Exchange();
    CHECK(pair.server().client_chain() == ChainOf(P256()));
  }
}

TEST_CASE("question: nothing is asked before the server is accepted") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    for (int i = 0; i < 3; i++) {
      CHECK(pair.Run() == Step::kWantVerify);
      CHECK(pair.client().attempt() == 0);
      CHECK_FALSE(pair.client().asked());
    }
  }
}

TEST_CASE("question: with no callback registered an empty one is sent") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(MakeContext(TrustingOptions(), false), ServerOf(version));
    CHECK(pair.RunPastVerify() == Step::kDone);
    pair.Exchange();
    CHECK(pair.server().client_chain().empty());
    CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 1);
    CHECK(pair.client().attempt() == 0);
  }
}

TEST_CASE("question: a connection may ask where its context does not") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Context::Pointer context = MakeContext(TrustingOptions(), false);
    Pair asks(context, ServerOf(version), AsksItself());
    Pair silent(context, ServerOf(version));
    REQUIRE(asks.RunPastVerify() == Step::kWantClientCert);
    // The callback was lent for the call only.
    CHECK_FALSE(context->AsksForClientCert());
    CHECK(silent.RunPastVerify() == Step::kDone);
    asks.client().Answer(CredentialOf(P256()));
    CHECK(asks.Run() == Step::kDone);
    asks.Exchange();
    CHECK(asks.server().client_chain() == ChainOf(P256()));
    CHECK_FALSE(context->AsksForClientCert());
  }
}

TEST_CASE("question: registering later is enough, if before the request") {
  const Context::Pointer context = MakeContext(TrustingOptions(), false);
  Pair pair(context, ServerOptions());
  REQUIRE(pair.Run() == Step::kWantVerify);
  context->SetAsksForClientCert(true);
  pair.client().AcceptServer();
  CHECK(pair.Run() == Step::kWantClientCert);
}

TEST_CASE("question: unregistered while suspended, it can still be answered") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Context::Pointer context = AskingContext();
    Pair answered(context, ServerOf(version));
    Pair declined(context, ServerOf(version));
    Pair early(context, ServerOf(version));
    REQUIRE(answered.RunPastVerify() == Step::kWantClientCert);
    REQUIRE(declined.RunPastVerify() == Step::kWantClientCert);
    REQUIRE(early.Run() == Step::kWantVerify);
    context->SetAsksForClientCert(false);
    CHECK(answered.Run() == Step::kWantClientCert);
    CHECK(answered.client().attempt() == 1);
    answered.client().Answer(CredentialOf(P256()));
    CHECK(answered.Run() == Step::kDone);
    answered.Exchange();
    CHECK(answered.server().client_chain() == ChainOf(P256()));
    declined.client().Decline();
    CHECK(declined.Run() == Step::kDone);
    early.client().AcceptServer();
    CHECK(early.Run() == Step::kDone);
    CHECK_FALSE(context->AsksForClientCert());
  }
}

TEST_CASE("question: what the server asked can be read") {
  const Pki& pki = ThePki();
  for (const int version : kVersions) {
    CAPTURE(version);
    ServerOptions options = ServerOf(version);
    options.authorities = {pki.root_b.certificate.get(),
                           pki.intermediate_a.certificate.get()};
    options.client_schemes =
        "ecdsa_secp384r1_sha384:ed25519:rsa_pss_rsae_sha256";
    Pair pair(AskingContext(), options);
    REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
    const CertificateRequest request = pair.client().request();
    CHECK(request.phase == RequestPhase::kHandshake);
    CHECK(request.authorities ==
          std::vector<Bytes>{NameDer(pki.root_b.certificate.get()),
                             NameDer(pki.intermediate_a.certificate.get())});
    CHECK(request.signature_schemes ==
          std::vector<SignatureScheme>{0x0503, 0x0807, 0x0804});
    if (version == TLS1_2_VERSION) {
      // rsa_sign and ecdsa_sign, RFC 5246 and RFC 8422.
      CHECK(request.certificate_types == std::vector<uint8_t>{1, 64});
    } else {
      CHECK(request.certificate_types.empty());
    }
  }
}

TEST_CASE("question: an empty list of authorities stays empty") {
  for (const int version : kVersions) {
    CAPTURE(version);
    Pair pair(AskingContext(), ServerOf(version));
    REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
    CHECK(pair.client().request().authorities.empty());
    CHECK_FALSE(pair.client().request().signature_schemes.empty());
  }
}

TEST_CASE("question: none for a connection with credentials set in advance") {
  for (const int version : kVersions) {
    CAPTURE(version);
    ConnectionOptions options;
    options.credentials = {CredentialOf(P256())};
    Pair pair(AskingContext(), ServerOf(version), options);
    CHECK(pair.RunPastVerify() == Step::kDone);
    pair.Exchange();
    CHECK(pair.server().client_chain() == ChainOf(P256()));
    CHECK(pair.client().attempt() == 0);
    CHECK(pair.client().static_credential() == 0);
  }
}

TEST_CASE("question: of several set in advance the first that fits is sent") {
  const Pki& pki = ThePki();
  for (const int version : kVersions) {
    CAPTURE(version);
    ConnectionOptions options;
    options.credentials = {CredentialOf(pki.clients.at("ed25519")),
                           CredentialOf(pki.clients.at("rsa-pss-sha384")),
                           CredentialOf(pki.clients.at("rsa")),
                           CredentialOf(pki.clients.at("p256"))};
    ServerOptions server = ServerOf(version);
    server.client_schemes = "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256";
    Pair pair(AskingContext(), server, options);
    CHECK(pair.RunPastVerify() == Step::kDone);
    pair.Exchange();
    CHECK(pair.server().client_chain() == ChainOf(pki.clients.at("rsa")));
    CHECK(pair.client().static_credential() == 2);
    CHECK(pair.client().log().signature_scheme() == SignatureScheme{0x0804});
  }
}

TEST_CASE("question: a candidate passed over leaves nothing behind") {
  // A key bound to SHA-384 makes OpenSSL complain about every other digest;
  // byte by byte the client then waits with whatever is in the error queue.
  for (const int version : kVersions) {
    CAPTURE(version);
    ConnectionOptions options;
    options.credentials = {CredentialOf(ThePki().clients.at("rsa-pss-sha384")),
                           CredentialOf(P256())};
    ServerOptions server = ServerOf(version);
    server.client_schemes = "rsa_pss_pss_sha256:ecdsa_secp256r1_sha256";
    Pair pair(AskingContext(), server, options);
    pair.set_chunk(1);
    CHECK(pair.RunPastVerify() == Step::kDone);
    pair.Exchange();
    CHECK(pair.server().client_chain() == ChainOf(P256()));
  }
}

TEST_CASE("question: an answer that nobody asked for changes nothing") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Credential::Pointer credential = CredentialOf(P256());
    Pair early(AskingContext(), ServerOf(version));
    early.client().Answer(credential);
    early.client().AskAgain();
    REQUIRE(early.Run() == Step::kWantVerify);
    early.client().Answer(credential);
    REQUIRE(early.RunPastVerify() == Step::kWantClientCert);
    CHECK(early.client().attempt() == 1);
    early.client().Decline();
    // Too late: the first of two answers counts.
    early.client().Answer(credential);
    CHECK(early.Run() == Step::kDone);
    early.Exchange();
    CHECK(early.server().client_chain().empty());
    CHECK_FALSE(early.client().failure());
    early.client().Answer(credential);
    early.client().Decline();
    CHECK(early.Run() == Step::kDone);
  }
}

}  // namespace tls_client_cert::test
