// Whether a credential would be sent is foretold by our own table; here the
// table is held against what OpenSSL then does, for every key and scheme.
#include "signature_scheme.h"

#include "pair.h"

namespace tls_client_cert::test {

namespace {

struct Scheme {
  SignatureScheme code;
  const char* name;
  bool in_tls13;
};

constexpr Scheme kSchemes[] = {
    {0x0403, "ecdsa_secp256r1_sha256", true},
    {0x0503, "ecdsa_secp384r1_sha384", true},
    {0x0603, "ecdsa_secp521r1_sha512", true},
    {0x0807, "ed25519", true},
    {0x0808, "ed448", true},
    {0x0804, "rsa_pss_rsae_sha256", true},
    {0x0805, "rsa_pss_rsae_sha384", true},
    {0x0806, "rsa_pss_rsae_sha512", true},
    {0x0809, "rsa_pss_pss_sha256", true},
    {0x080a, "rsa_pss_pss_sha384", true},
    {0x080b, "rsa_pss_pss_sha512", true},
    {0x0401, "rsa_pkcs1_sha256", false},
    {0x0501, "rsa_pkcs1_sha384", false},
    {0x0601, "rsa_pkcs1_sha512", false},
    {0x0303, "ECDSA+SHA224", false},
    {0x0301, "RSA+SHA224", false},
    {0x0203, "ECDSA+SHA1", false},
    {0x0201, "RSA+SHA1", false},
};

// The code points of every scheme above, so that the client offers them all.
std::string AllSchemes() {
  std::string list;
  for (const Scheme& scheme : kSchemes) {
    list += (list.empty() ? "" : ":") + std::string(scheme.name);
  }
  return list;
}

}  // namespace

TEST_CASE("scheme: the table foretells what OpenSSL does") {
  ContextOptions options = TrustingOptions();
  options.cipher_list = "DEFAULT:@SECLEVEL=0";
  options.signature_schemes = AllSchemes();
  // On TLS 1.2 a server takes certificates of the curves that both offer.
  constexpr char kGroups[] = "P-256:P-384:P-521:brainpoolP256r1";
  options.groups = kGroups;
  const Context::Pointer context = MakeContext(options);

  std::vector<std::pair<std::string, const Identity*>> identities;
  for (const auto& [kind, identity] : ThePki().clients) {
    identities.emplace_back(kind, &identity);
  }
  identities.emplace_back("rsa1024", &ThePki().weak_key);

  int sent = 0;
  int refused = 0;
  for (const auto& [kind, identity] : identities) {
    const Credential::Pointer credential = CredentialOf(*identity);
    for (const int version : kVersions) {
      for (const Scheme& scheme : kSchemes) {
        CAPTURE(kind);
        CAPTURE(version);
        CAPTURE(scheme.code);
        ServerOptions server = ServerOf(version);
        server.groups = kGroups;
        server.client_schemes = scheme.name;
        // A TLS 1.3 server must offer something that is of TLS 1.3.
        if (version == TLS1_3_VERSION && !scheme.in_tls13) {
          server.client_schemes += kind == "ed448" ? ":ed25519" : ":ed448";
        }
        Pair pair(context, server);
        REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
        const bool foretold = !pair.client().WhyNotSent(*credential);
        CHECK(KeyFitsScheme(credential->key(), scheme.code, version) ==
              foretold);
        pair.client().Answer(credential);
        const Step step = pair.Run();
        CHECK((step == Step::kDone) == foretold);
        pair.Exchange();
        CHECK(pair.server().open() == foretold);
        if (foretold) {
          CHECK(pair.client().log().signature_scheme() == scheme.code);
        }
        (foretold ? sent : refused)++;
      }
    }
  }
  // Both happen, or the comparison above is worth nothing.
  CHECK(sent > 50);
  CHECK(refused > 200);
}

TEST_CASE("scheme: shared ones are in both lists, the peer's are all of its") {
  ContextOptions options = TrustingOptions();
  options.signature_schemes = "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256";
  ServerOptions server = ServerOf(TLS1_3_VERSION);
  server.client_schemes =
      "ed25519:ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256:ed448";
  Pair pair(MakeContext(options), server);
  REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
  CHECK(pair.client().request().signature_schemes ==
        std::vector<SignatureScheme>{0x0807, 0x0403, 0x0804, 0x0808});
  // Ed25519 is the server's wish only, so a key for it has none in common.
  const auto failure =
      pair.client().WhyNotSent(*CredentialOf(ThePki().clients.at("ed25519")));
  REQUIRE(failure);
  CHECK(failure->reason == FailureReason::kNoCommonScheme);
}

TEST_CASE("scheme: nothing is shared before the server has spoken") {
  const SslCtxPointer ctx(SSL_CTX_new(TLS_client_method()));
  const SslPointer ssl(SSL_new(ctx.get()));
  CHECK(SharedSignatureSchemes(ssl.get()).empty());
  CHECK(PeerSignatureSchemes(ssl.get()).empty());
}

TEST_CASE("scheme: an unknown one fits no key and no certificate") {
  const Identity& client = ThePki().clients.at("p256");
  CHECK_FALSE(KeyFitsScheme(client.key.get(), 0x1234, TLS1_3_VERSION));
  CHECK_FALSE(CertificateSignedUnder(client.certificate.get(), {0x1234}));
  CHECK_FALSE(CertificateSignedUnder(client.certificate.get(), {}));
  CHECK(CertificateSignedUnder(client.certificate.get(), {0x1234, 0x0403}));
}

TEST_CASE("scheme: a certificate is matched by how it was signed") {
  const Identity rsa = Issue({"RSA CA", nullptr, true}, MakeKey("rsa"));
  const Identity pss =
      Issue({"PSS CA", nullptr, true, EVP_sha384()}, MakeKey("rsa-pss-sha384"));
  const Identity ed =
      Issue({"Ed CA", nullptr, true, nullptr}, MakeKey("ed25519"));
  const auto under = [](const Identity& identity, SignatureScheme scheme) {
    return CertificateSignedUnder(identity.certificate.get(), {scheme});
  };
  CHECK(under(rsa, 0x0401));
  CHECK_FALSE(under(rsa, 0x0501));
  CHECK_FALSE(under(rsa, 0x0804));
  CHECK(under(ed, 0x0807));
  CHECK_FALSE(under(ed, 0x0808));
  const Identity pss_leaf =
      Issue({"leaf", &pss, false, EVP_sha384()}, MakeKey("p256"));
  CHECK(under(pss_leaf, 0x080a));
  CHECK(under(pss_leaf, 0x0805));
  CHECK_FALSE(under(pss_leaf, 0x0804));
  CHECK_FALSE(under(pss_leaf, 0x0501));
}

}  // namespace tls_client_cert::test
