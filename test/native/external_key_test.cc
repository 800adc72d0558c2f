// Keys that OpenSSL does not have: the handshake waits on a fibre for each
// signature.
#include "external_key.h"

#include <openssl/async.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "pair.h"

namespace {

bool fibres_are_missing = false;

}  // namespace

// In place of libcrypto's: as it is where the C library has no contexts.
extern "C" int ASYNC_is_capable() { return fibres_are_missing ? 0 : 1; }

namespace tls_client_cert::test {

namespace {

using Sent = HandshakeLog::Certificate;

const Identity& Client(const std::string& kind) {
  return ThePki().clients.at(kind);
}

Credential::Pointer ExternalOf(const Identity& identity,
                               std::vector<SignatureScheme> schemes = {}) {
  const Bytes leaf = CertificateDer(identity.certificate.get());
  std::vector<Bytes> chain;
  ExternalKeyInput input;
  for (X509* certificate : identity.chain) {
    chain.push_back(CertificateDer(certificate));
  }
  input.certificate = leaf;
  for (const Bytes& certificate : chain) input.chain.push_back(certificate);
  input.schemes = std::move(schemes);
  auto made = Credential::Create(input);
  REQUIRE(made.ok());
  return made.value();
}

// Signs what the client waits for.
std::optional<Failure> SignIt(Pair* pair, const Identity& identity) {
  const SignatureRequest request = pair->client().signature_request();
  return pair->client().Sign(
      SignWith(identity.key.get(), request.scheme, request.data));
}

std::unique_ptr<Pair> SigningPair(int version,
                                  const Credential::Pointer& credential,
                                  ServerOptions server = {}) {
  server.version = version;
  server.auth = ClientAuth::kRequire;
  server.judges = true;
  auto pair = std::make_unique<Pair>(AskingContext(), server);
  REQUIRE(pair->RunAnswering(credential) == Step::kWantSignature);
  return pair;
}

// The server asks once more, as its version does. What comes of it.
Step AskOnceMore(Pair* pair, const char* schemes = nullptr) {
  if (SSL_version(pair->server().ssl()) >= TLS1_3_VERSION) {
    REQUIRE(pair->server().RequestPostHandshake(schemes));
    return pair->ReadAll();
  }
  pair->server().Renegotiate(schemes);
  REQUIRE(pair->ReadAll() == Step::kWantVerify);
  pair->client().AcceptServer();
  return pair->ReadAll();
}

void CheckSeen(Pair* pair, const Identity& identity) {
  CHECK(pair->server().client_chain() == ChainOf(identity));
  CHECK(pair->client().log().certificate() == Sent::kSent);
  CheckAlive(pair);
}

}  // namespace

TEST_CASE("external: a padding's name ends where its size says") {
  const Identity& identity = Client("rsa");
  ExternalSignature signature;
  const EvpPkeyPointer key = MakeExternalKey(
      X509_get0_pubkey(identity.certificate.get()), {}, &signature);
  const EvpMdCtxPointer ctx(EVP_MD_CTX_new());
  EVP_PKEY_CTX* key_ctx = nullptr;
  REQUIRE(EVP_DigestSignInit_ex(ctx.get(), &key_ctx, "SHA256", nullptr, nullptr,
                                key.get(), nullptr) == 1);
  // On the heap, and no longer than that: what is read behind it is seen.
  const auto set = [&](unsigned type, const Bytes& value) {
    const OSSL_PARAM params[] = {
        {OSSL_SIGNATURE_PARAM_PAD_MODE, type,
         const_cast<uint8_t*>(value.data()), value.size(), 0},
        OSSL_PARAM_construct_end()};
    return EVP_PKEY_CTX_set_params(key_ctx, params);
  };
  for (const char* name : {"pss", "pssx", "ps"}) {
    CHECK(set(OSSL_PARAM_UTF8_STRING, Text(name)) == 1);
  }
  for (const unsigned type : {OSSL_PARAM_UTF8_STRING, OSSL_PARAM_INTEGER}) {
    CHECK(set(type, {}) != 1);
  }
  ERR_clear_error();
}

TEST_CASE("external: refused where OpenSSL has no fibres, other keys are not") {
  const Identity& identity = Client("p256");
  const Bytes leaf = CertificateDer(identity.certificate.get());
  ExternalKeyInput input;
  input.certificate = leaf;
  fibres_are_missing = true;
  auto made = Credential::Create(input);
  const auto in_memory = CredentialOf(identity);
  fibres_are_missing = false;
  REQUIRE_FALSE(made.ok());
  CHECK(made.failure().reason == FailureReason::kNoFibres);
  CHECK(static_cast<bool>(in_memory));
  CHECK(ERR_peek_error() == 0);
  CHECK(Credential::Create(input).ok());
}

TEST_CASE("external: every type of key signs, in both versions") {
  for (const int version : kVersions) {
    for (const std::string& kind : ClientKinds()) {
      CAPTURE(version);
      CAPTURE(kind);
      const Identity& identity = Client(kind);
      const auto pair = SigningPair(version, ExternalOf(identity));
      // However often it is asked.
      CHECK(pair->Run() == Step::kWantSignature);
      const SignatureScheme scheme = pair->client().signature_request().scheme;
      CHECK(scheme != 0);
      CHECK(pair->client().signature_request().data.size > 60);
      CHECK_FALSE(SignIt(pair.get(), identity));
      CHECK(pair->Run() == Step::kDone);
      CHECK(pair->client().log().signature_scheme() == scheme);
      CheckSeen(pair.get(), identity);
    }
  }
}

TEST_CASE("external: the server's flight may come in pieces") {
  for (const int version : kVersions) {
    for (const size_t chunk : {1, 7, 50, 300}) {
      for (const bool in_advance : {false, true}) {
        CAPTURE(version);
        CAPTURE(chunk);
        CAPTURE(in_advance);
        const Identity& identity = Client("p256");
        ServerOptions server = ServerOf(version);
        server.auth = ClientAuth::kRequire;
        ConnectionOptions options;
        options.post_handshake_auth = true;
        if (in_advance) options.credentials = {ExternalOf(identity)};
        Pair pair(AskingContext(), server, options);
        pair.set_chunk(chunk);
        Step step = pair.RunPastVerify();
        if (!in_advance) {
          REQUIRE(step == Step::kWantClientCert);
          pair.client().Answer(ExternalOf(identity));
          step = pair.Run();
        }
        REQUIRE(step == Step::kWantSignature);
        CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
        CHECK_FALSE(SignIt(&pair, identity));
        CHECK(pair.Run() == Step::kDone);
        CheckSeen(&pair, identity);
        // And later ones.
        REQUIRE(AskOnceMore(&pair) == Step::kWantSignature);
        CHECK_FALSE(SignIt(&pair, identity));
        CHECK(pair.ReadAll() == Step::kWantRead);
        CheckSeen(&pair, identity);
      }
    }
  }
}

TEST_CASE("external: what waits to be signed has not been sent") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& identity = Client("p256");
    const auto pair = SigningPair(version, ExternalOf(identity));
    CHECK(pair->client().certificate() == Sent::kRequested);
    CHECK_FALSE(SignIt(pair.get(), identity));
    CHECK(pair->client().certificate() == Sent::kRequested);
    CHECK(pair->Run() == Step::kDone);
    CHECK(pair->client().certificate() == Sent::kSent);
  }
}

TEST_CASE("external: an RSA-PSS key that is bound to a digest") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity bound =
        Issue({"bound", &ThePki().intermediate_a}, MakeKey("rsa-pss-sha384"));
    Pair pair(AskingContext(), ServerOf(version));
    REQUIRE(pair.RunAnswering(ExternalOf(bound)) == Step::kWantSignature);
    CHECK(pair.client().signature_request().scheme == 0x080a);
    CHECK_FALSE(SignIt(&pair, bound));
    CHECK(pair.Run() == Step::kDone);
    CheckSeen(&pair, bound);
  }
}

TEST_CASE("external: who was shown before is who was shown") {
  // One set in advance, asked for a second time by a server that goes then.
  ServerOptions server = ServerOf(TLS1_3_VERSION);
  server.auth = ClientAuth::kLater;
  ConnectionOptions options;
  options.post_handshake_auth = true;
  options.credentials = {ExternalOf(Client("p256"))};
  Pair pair(AskingContext(), server, options);
  REQUIRE(pair.RunPastVerify() == Step::kDone);
  pair.Exchange();
  REQUIRE(pair.server().RequestPostHandshake());
  REQUIRE(pair.ReadAll() == Step::kWantSignature);
  CHECK_FALSE(SignIt(&pair, Client("p256")));
  REQUIRE(pair.ReadAll() == Step::kWantRead);
  CHECK(pair.client().static_credential() == 0);
  REQUIRE(pair.server().RequestPostHandshake());
  pair.server().Close();
  REQUIRE(pair.ReadAll() == Step::kWantSignature);
  pair.client().ReceiveEnd();
  pair.client().Abandon();
  CHECK(pair.client().static_credential() == 0);
  CHECK(pair.ReadAll() == Step::kClosed);
  CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 1);
}

TEST_CASE("external: schemes that its key can never do are refused") {
  const Bytes leaf = CertificateDer(Client("p256").certificate.get());
  ExternalKeyInput input;
  input.certificate = leaf;
  input.schemes = {0x0804, 0x0807};
  auto made = Credential::Create(input);
  REQUIRE_FALSE(made.ok());
  CHECK(made.failure().reason == FailureReason::kSchemesUnsuitable);
  CHECK(made.failure().detail == "EC");
  input.schemes.push_back(0x0603);
  CHECK(Credential::Create(input).ok());
}

TEST_CASE("external: nothing of the flight leaves before it is signed") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& identity = Client("p256");
    const auto pair = SigningPair(version, ExternalOf(identity));
    const size_t sent = pair->wire().size();
    CHECK(pair->server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
    uint8_t byte = 0;
    CHECK(pair->client().Read(&byte, 1).step == Step::kWantSignature);
    CHECK(pair->client().Write({&byte, 1}).step == Step::kWantSignature);
    CHECK(pair->client().Shutdown() == Step::kWantRead);
    pair->Exchange();
    CHECK(pair->wire().size() == sent);
  }
}

TEST_CASE("external: a wrong signature is found, and may be mended") {
  for (const int version : kVersions) {
    for (const std::string& kind : ClientKinds()) {
      CAPTURE(version);
      CAPTURE(kind);
      const Identity& identity = Client(kind);
      const auto pair = SigningPair(version, ExternalOf(identity));
      Connection& client = pair->client();
      const SignatureRequest request = client.signature_request();
      Bytes good = SignWith(identity.key.get(), request.scheme, request.data);
      Bytes other =
          SignWith(identity.key.get(), request.scheme, Text("something else"));
      Bytes longer = good;
      longer.push_back(0);
      Bytes shorter(good.begin(), good.end() - 1);
      for (const Bytes& wrong : {Bytes(), other, longer, shorter,
                                 Bytes(good.size(), 0), Bytes(5000, 1)}) {
        const auto failure = client.Sign(wrong);
        REQUIRE(failure);
        CHECK(failure->reason == FailureReason::kSignatureWrong);
        CHECK(failure->index == request.scheme);
        CHECK(pair->Run() == Step::kWantSignature);
      }
      CHECK_FALSE(client.Sign(good));
      // There is nothing to sign any more.
      CHECK_FALSE(client.Sign(other));
      CHECK(pair->Run() == Step::kDone);
      CheckSeen(pair.get(), identity);
    }
  }
}

TEST_CASE("external: another padding's signature is a wrong one") {
  const Identity& identity = Client("rsa");
  const auto pair = SigningPair(TLS1_3_VERSION, ExternalOf(identity));
  const SignatureRequest request = pair->client().signature_request();
  REQUIRE(request.scheme == 0x0804);
  CHECK(
      pair->client().Sign(SignWith(identity.key.get(), 0x0401, request.data)));
  CHECK(
      pair->client().Sign(SignWith(identity.key.get(), 0x0805, request.data)));
}

TEST_CASE("external: one set in advance signs as well, again and again") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& identity = Client("p384");
    ConnectionOptions options;
    options.credentials = {ExternalOf(identity)};
    options.post_handshake_auth = true;
    Pair pair(MakeContext(TrustingOptions(), false), ServerOf(version),
              options);
    REQUIRE(pair.RunPastVerify() == Step::kWantSignature);
    CHECK(pair.client().static_credential() == 0);
    CHECK_FALSE(SignIt(&pair, identity));
    REQUIRE(pair.Run() == Step::kDone);
    pair.Exchange();
    REQUIRE(pair.ReadAll() == Step::kWantRead);
    CheckSeen(&pair, identity);
    for (int i = 0; i < 3; i++) {
      REQUIRE(AskOnceMore(&pair) == Step::kWantSignature);
      CHECK_FALSE(SignIt(&pair, identity));
      CHECK(pair.ReadAll() == Step::kWantRead);
      CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == i + 2);
      CheckSeen(&pair, identity);
    }
  }
}

TEST_CASE("external: the one that was answered signs later requests") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& identity = Client("rsa");
    ConnectionOptions options;
    options.post_handshake_auth = true;
    Pair pair(AskingContext(), ServerOf(version), options);
    REQUIRE(pair.RunAnswering(ExternalOf(identity)) == Step::kWantSignature);
    CHECK_FALSE(SignIt(&pair, identity));
    REQUIRE(pair.Run() == Step::kDone);
    pair.Exchange();
    REQUIRE(pair.ReadAll() == Step::kWantRead);
    const bool tls13 = version == TLS1_3_VERSION;
    // By a scheme that it can, then by one that it cannot: then it is asked.
    REQUIRE(AskOnceMore(&pair,
                        tls13 ? "rsa_pss_rsae_sha512" : "rsa_pkcs1_sha512") ==
            Step::kWantSignature);
    CHECK(pair.client().signature_request().scheme ==
          (tls13 ? 0x0806 : 0x0601));
    CHECK_FALSE(SignIt(&pair, identity));
    CHECK(pair.ReadAll() == Step::kWantRead);
    CheckSeen(&pair, identity);
    REQUIRE(AskOnceMore(&pair, "ecdsa_secp256r1_sha256") ==
            Step::kWantClientCert);
    // Another external one takes its place.
    pair.client().Answer(ExternalOf(Client("p256")));
    REQUIRE(pair.ReadAll() == Step::kWantSignature);
    CHECK_FALSE(SignIt(&pair, Client("p256")));
    CHECK(pair.ReadAll() == Step::kWantRead);
    CheckSeen(&pair, Client("p256"));
  }
}

TEST_CASE("external: each request is signed under what it and the key share") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const bool tls13 = version == TLS1_3_VERSION;
    const Identity& identity = Client("rsa");
    ConnectionOptions options;
    options.post_handshake_auth = true;
    Pair pair(AskingContext(), ServerOf(version), options);
    REQUIRE(pair.RunAnswering(
                ExternalOf(identity, {0x0401, 0x0601, 0x0804, 0x0806})) ==
            Step::kWantSignature);
    CHECK(pair.client().signature_request().scheme == 0x0804);
    CHECK_FALSE(SignIt(&pair, identity));
    REQUIRE(pair.Run() == Step::kDone);
    pair.Exchange();
    REQUIRE(pair.ReadAll() == Step::kWantRead);
    const char* wanted =
        tls13 ? "rsa_pss_rsae_sha384:rsa_pss_rsae_sha512"
              : "rsa_pkcs1_sha384:rsa_pss_rsae_sha384:rsa_pkcs1_sha512";
    REQUIRE(AskOnceMore(&pair, wanted) == Step::kWantSignature);
    CHECK(pair.client().signature_request().scheme ==
          (tls13 ? 0x0806 : 0x0601));
    CHECK_FALSE(SignIt(&pair, identity));
    CHECK(pair.ReadAll() == Step::kWantRead);
    CheckSeen(&pair, identity);
  }
}

TEST_CASE("external: data in both directions around a request after it all") {
  const Identity& identity = Client("p256");
  ServerOptions server = ServerOf(TLS1_3_VERSION);
  server.auth = ClientAuth::kLater;
  ConnectionOptions options;
  options.post_handshake_auth = true;
  Pair pair(AskingContext(), server, options);
  REQUIRE(pair.RunPastVerify() == Step::kDone);
  pair.Exchange();
  pair.server().Write(Text("before"));
  REQUIRE(pair.server().RequestPostHandshake());
  pair.server().Write(Text("behind"));
  Bytes received;
  REQUIRE(pair.ReadAll(&received) == Step::kWantClientCert);
  CHECK(received == Text("before"));
  pair.client().Answer(ExternalOf(identity));
  REQUIRE(pair.ReadAll(&received) == Step::kWantSignature);
  CHECK(pair.client().Write(Text("kept")).step == Step::kWantSignature);
  CHECK_FALSE(SignIt(&pair, identity));
  // Written first: the answer goes before the data.
  CHECK(pair.client().Write(Text("kept")).size == 4);
  pair.Exchange();
  CHECK(pair.server().plaintext() == Text("kept"));
  CHECK(pair.ReadAll(&received) == Step::kWantRead);
  CHECK(received == Text("beforebehind"));
  CheckSeen(&pair, identity);
}

TEST_CASE("external: a request behind our close_notify leads to nothing") {
  for (const bool external : {true, false}) {
    CAPTURE(external);
    const Identity& identity = Client("p256");
    ServerOptions server = ServerOf(TLS1_3_VERSION);
    server.auth = ClientAuth::kLater;
    ConnectionOptions options;
    options.post_handshake_auth = true;
    Pair pair(AskingContext(), server, options);
    REQUIRE(pair.RunPastVerify() == Step::kDone);
    pair.Exchange();
    REQUIRE(pair.server().RequestPostHandshake());
    REQUIRE(pair.ReadAll() == Step::kWantClientCert);
    pair.client().Answer(external ? ExternalOf(identity)
                                  : CredentialOf(identity));
    if (external) {
      REQUIRE(pair.ReadAll() == Step::kWantSignature);
      CHECK_FALSE(SignIt(&pair, identity));
    }
    REQUIRE(pair.ReadAll() == Step::kWantRead);
    CheckSeen(&pair, identity);
    CHECK(pair.client().Shutdown() == Step::kDone);
    pair.Exchange();
    const size_t sent = pair.wire().size();
    REQUIRE(pair.server().RequestPostHandshake());
    pair.server().Write(Text("behind"));
    Bytes received;
    CHECK(pair.ReadAll(&received) == Step::kWantRead);
    CHECK(received == Text("behind"));
    CHECK(pair.wire().size() == sent);
  }
}

TEST_CASE("external: declared schemes are the only ones that are asked for") {
  struct Row {
    const char* kind;
    int version;
    std::vector<SignatureScheme> declared;
    const char* server;
    SignatureScheme wanted;
  };
  const char* rsa =
      "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
      "rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512";
  const Row rows[] = {
      {"rsa", TLS1_2_VERSION, {0x0401}, rsa, 0x0401},
      {"rsa", TLS1_2_VERSION, {0x0501, 0x0601}, rsa, 0x0501},
      {"rsa", TLS1_2_VERSION, {0x0806}, rsa, 0x0806},
      {"rsa", TLS1_3_VERSION, {0x0805}, rsa, 0x0805},
      {"rsa", TLS1_3_VERSION, {0x0401, 0x0806}, rsa, 0x0806},
      {"rsa", TLS1_2_VERSION, {0x0401, 0x0806}, rsa, 0x0806},
      // The first cannot be picked, for the one before it.
      {"rsa",
       TLS1_2_VERSION,
       {0x0804, 0x0805},
       "rsa_pkcs1_sha256:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384",
       0x0805},
      {"p256",
       TLS1_2_VERSION,
       {0x0503},
       "ecdsa_secp256r1_sha256:"
       "ecdsa_secp384r1_sha384",
       0x0503},
  };
  for (const Row& row : rows) {
    for (const bool in_advance : {false, true}) {
      CAPTURE(row.wanted);
      CAPTURE(row.version);
      CAPTURE(in_advance);
      const Identity& identity = Client(row.kind);
      ServerOptions server = ServerOf(row.version);
      server.client_schemes = row.server;
      ConnectionOptions options;
      const auto credential = ExternalOf(identity, row.declared);
      if (in_advance) options.credentials = {credential};
      Pair pair(AskingContext(), server, options);
      Step step = pair.RunPastVerify();
      if (!in_advance) {
        REQUIRE(step == Step::kWantClientCert);
        CHECK_FALSE(pair.client().WhyNotSent(*credential));
        pair.client().Answer(credential);
        step = pair.Run();
      }
      REQUIRE(step == Step::kWantSignature);
      CHECK(pair.client().signature_request().scheme == row.wanted);
      CHECK_FALSE(SignIt(&pair, identity));
      CHECK(pair.Run() == Step::kDone);
      CheckSeen(&pair, identity);
    }
  }
}

TEST_CASE("external: what OpenSSL would pick undeclared is not signed") {
  // RSA-PSS with SHA-256 only, for a server that names PKCS#1 first.
  const Identity& identity = Client("rsa");
  ServerOptions server = ServerOf(TLS1_2_VERSION);
  server.client_schemes = "rsa_pkcs1_sha256:rsa_pss_rsae_sha256";
  Pair pair(AskingContext(), server);
  const auto credential = ExternalOf(identity, {0x0804});
  REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
  const auto failure = pair.client().WhyNotSent(*credential);
  REQUIRE(failure);
  CHECK(failure->reason == FailureReason::kSchemeNotDeclared);
  CHECK(failure->index == 0x0401);
  // Answered all the same, nothing leaves.
  pair.client().Answer(credential);
  CHECK(pair.Run() == Step::kFailed);
  CHECK(pair.client().failure()->reason == FailureReason::kSchemeNotDeclared);
  CHECK(pair.client().failure()->index == 0x0401);
  CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
  // Said in advance, it is told which to pick.
  ConnectionOptions options;
  options.credentials = {credential};
  ContextOptions context = TrustingOptions();
  context.client_signature_schemes = "rsa_pss_rsae_sha256";
  Pair told(MakeContext(context), server, options);
  REQUIRE(told.RunPastVerify() == Step::kWantSignature);
  CHECK(told.client().signature_request().scheme == 0x0804);
}

TEST_CASE("external: declared schemes that nobody shares are told apart") {
  const Identity& identity = Client("rsa");
  const auto credential = ExternalOf(identity, {0x0401});
  Pair pair(AskingContext(), ServerOf(TLS1_3_VERSION));
  REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
  const auto failure = pair.client().WhyNotSent(*credential);
  REQUIRE(failure);
  CHECK(failure->reason == FailureReason::kNoCommonScheme);
  // Answered all the same, nothing is sent, and nobody is asked to sign.
  pair.client().Answer(credential);
  CHECK(pair.Run() == Step::kFailed);
  CHECK(pair.client().failure()->reason == FailureReason::kNotSent);
  CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
}

TEST_CASE("external: no signature below TLS 1.2") {
  ContextOptions context = TrustingOptions();
  context.cipher_list = "DEFAULT:@SECLEVEL=0";
  ServerOptions server = ServerOf(TLS1_1_VERSION);
  Pair pair(MakeContext(context), server);
  REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
  const auto failure = pair.client().WhyNotSent(*ExternalOf(Client("p256")));
  REQUIRE(failure);
  CHECK(failure->reason == FailureReason::kNoCommonScheme);
}

TEST_CASE("external: whoever goes is heard out, and is shown nobody") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& identity = Client("p256");
    const auto pair = SigningPair(version, ExternalOf(identity));
    pair->client().ReceiveEnd();
    pair->client().Abandon();
    CHECK(pair->client().outgoing().empty());
    Step step = pair->client().Handshake();
    // TLS 1.3 is complete on this side; what the server said comes by reading.
    if (step == Step::kDone) step = pair->ReadAll();
    CHECK((step == Step::kClosed || step == Step::kFailed));
    CHECK(pair->client().outgoing().empty());
    CHECK(pair->server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
  }
}

TEST_CASE("external: an alert that lies behind the request is read") {
  ServerOptions server = ServerOf(TLS1_3_VERSION);
  server.auth = ClientAuth::kLater;
  ConnectionOptions options;
  options.post_handshake_auth = true;
  Pair pair(AskingContext(), server, options);
  REQUIRE(pair.RunPastVerify() == Step::kDone);
  pair.Exchange();
  REQUIRE(pair.server().RequestPostHandshake());
  pair.server().Write(Text("last words"));
  pair.server().Close();
  REQUIRE(pair.ReadAll() == Step::kWantClientCert);
  pair.client().Answer(ExternalOf(Client("p256")));
  REQUIRE(pair.ReadAll() == Step::kWantSignature);
  pair.client().ReceiveEnd();
  pair.client().Abandon();
  Bytes received;
  CHECK(pair.ReadAll(&received) == Step::kClosed);
  CHECK(received == Text("last words"));
  CHECK(pair.server().CountMessages(SSL3_MT_CERTIFICATE) == 0);
}

TEST_CASE("external: destroyed while it waits, whatever it waits in") {
  for (const int version : kVersions) {
    for (const char* kind : {"rsa", "p256", "ed25519"}) {
      const Identity& identity = Client(kind);
      auto pair = SigningPair(version, ExternalOf(identity));
      pair->DestroyClient();
    }
  }
  // Signed, and not resumed any more.
  const Identity& identity = Client("p256");
  auto pair = SigningPair(TLS1_3_VERSION, ExternalOf(identity));
  CHECK_FALSE(SignIt(pair.get(), identity));
  pair->DestroyClient();
}

TEST_CASE("external: many wait at once, and end in any order") {
  const Identity& identity = Client("p256");
  const auto credential = ExternalOf(identity);
  std::vector<std::unique_ptr<Pair>> pairs;
  for (int i = 0; i < 60; i++) {
    pairs.push_back(SigningPair(kVersions[i % 2], credential));
  }
  for (size_t i = 0; i < pairs.size(); i += 3) pairs[i]->DestroyClient();
  for (size_t i = pairs.size(); i-- > 0;) {
    if (i % 3 == 0) continue;
    CHECK_FALSE(SignIt(pairs[i].get(), identity));
    CHECK(pairs[i]->Run() == Step::kDone);
    CheckSeen(pairs[i].get(), identity);
  }
}

TEST_CASE("external: a session is made and resumed under its identity") {
  for (const int version : kVersions) {
    CAPTURE(version);
    const Identity& identity = Client("p256");
    ServerOptions server = ServerOf(version);
    server.closes_tickets = false;
    const auto pair = SigningPair(version, ExternalOf(identity), server);
    CHECK_FALSE(SignIt(pair.get(), identity));
    REQUIRE(pair->Run() == Step::kDone);
    pair->Exchange();
    REQUIRE(pair->ReadAll() == Step::kWantRead);
    REQUIRE_FALSE(pair->sessions().empty());
    ConnectionOptions options;
    options.session = Secret(pair->sessions().back());
    options.session_credential = ExternalOf(identity);
    ServerOptions again = ServerOf(version);
    again.context = pair->server().context();
    Pair resumed(AskingContext(), again, options);
    CHECK(resumed.Run() == Step::kDone);
    CHECK(resumed.client().resumed_as_somebody());
  }
}

TEST_CASE("external: what the certificate's key cannot be is refused") {
  ExternalKeyInput input;
  const Bytes garbage = Text("no certificate");
  input.certificate = garbage;
  auto made = Credential::Create(input);
  REQUIRE_FALSE(made.ok());
  CHECK(made.failure().reason == FailureReason::kCertificateUnreadable);
  const Identity agreeing =
      Issue({"key agreement", &ThePki().root_a},
            EvpPkeyPointer(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519")));
  const Bytes odd = CertificateDer(agreeing.certificate.get());
  input.certificate = odd;
  made = Credential::Create(input);
  REQUIRE_FALSE(made.ok());
  CHECK(made.failure().reason == FailureReason::kKeyTypeUnsupported);
  CHECK(made.failure().detail == "X25519");
}

TEST_CASE(
    "external: without a connection the key tells all and signs nothing") {
  const Identity& identity = Client("rsa");
  const auto credential = ExternalOf(identity);
  CHECK(credential->is_external());
  EVP_PKEY* key = credential->key();
  CHECK(EVP_PKEY_get_size(key) == EVP_PKEY_get_size(identity.key.get()));
  CHECK(X509_check_private_key(identity.certificate.get(), key) == 1);
  CHECK(X509_check_private_key(Client("p256").certificate.get(), key) != 1);
  const EvpMdCtxPointer ctx(EVP_MD_CTX_new());
  REQUIRE(EVP_DigestSignInit_ex(ctx.get(), nullptr, "SHA256", nullptr, nullptr,
                                key, nullptr) == 1);
  uint8_t signature[512];
  size_t size = sizeof(signature);
  const Bytes data = Text("data");
  CHECK(EVP_DigestSign(ctx.get(), signature, &size, data.data(), data.size()) !=
        1);
  ERR_clear_error();
}

}  // namespace tls_client_cert::test
