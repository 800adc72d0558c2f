// Memory runs short in a handshake, or in what follows it.
#include <openssl/crypto.h>

#include <cstring>

#include "client.h"
#include "session_facts.h"

namespace tls_client_cert::test::faults {

namespace {

const Identity& Of(const char* kind) { return ThePki().clients.at(kind); }

std::string Named(const char* what, int version) {
  return std::string(what) +
         (version == TLS1_2_VERSION ? ", TLS 1.2" : ", TLS 1.3");
}

Meeting Asked(int version, const Identity* identity) {
  static const Context::Pointer context = AskingContext();
  Meeting meeting;
  meeting.context = context;
  meeting.server = ServerOf(version);
  meeting.server.judges = true;
  meeting.server.authorities = {ThePki().root_a.certificate.get(),
                                ThePki().root_b.certificate.get()};
  // An RSA key whose blinding had no memory once signs wrong ever after: that
  // is OpenSSL's, and the next run's key must not have seen it.
  meeting.answer_anew = identity;
  meeting.shown = identity;
  return meeting;
}

Credential::Pointer ExternalOf(const Identity& identity) {
  const Bytes leaf = CertificateDer(identity.certificate.get());
  const Bytes chain = CertificateDer(identity.chain[0]);
  ExternalKeyInput input;
  input.certificate = leaf;
  input.chain = {chain};
  auto made = Credential::Create(input);
  REQUIRE(made.ok());
  return made.value();
}

}  // namespace

TEST_CASE("faults: answered with a certificate") {
  for (const int version : kVersions) {
    for (const char* kind : {"p256", "rsa"}) {
      Explore(Named(kind, version), Asked(version, &Of(kind)));
    }
  }
}

TEST_CASE("faults: declined, or never asked") {
  for (const int version : kVersions) {
    Explore(Named("declined", version), Asked(version, nullptr));
    Meeting meeting = Asked(version, nullptr);
    meeting.server.auth = ClientAuth::kNone;
    meeting.server.authorities.clear();
    Explore(Named("not asked", version), meeting);
  }
}

TEST_CASE("faults: the first of those set in advance that fits") {
  for (const int version : kVersions) {
    Meeting meeting = Asked(version, nullptr);
    // Without memory it must not be the other.
    meeting.options.credentials = {CredentialOf(Of("p256")),
                                   CredentialOf(Of("rsa"))};
    meeting.shown = &Of("p256");
    // More than of the others: few of them decide between the two.
    Explore(Named("set in advance", version), meeting, 220);
  }
}

TEST_CASE("faults: the only one set in advance, looked at again and again") {
  const Credential::Pointer credential = CredentialOf(Of("p256"));
  const Context::Pointer context = AskingContext();
  // As many as two looks take, and fewer than three.
  ExploreRows(
      "looked at again",
      [&]() -> Outcome {
        ConnectionOptions options;
        options.credentials = {credential};
        Pair pair(context, ServerOf(TLS1_3_VERSION), options);
        if (pair.Run() != Step::kWantVerify) return Wrong("no server to judge");
        pair.client().AcceptServer();
        const Step step = Armed([&] { return pair.client().Handshake(); });
        if (step == Step::kFailed) return Failed(*pair.client().failure());
        if (step != Step::kDone) return Wrong("it waits");
        pair.Exchange();
        return pair.server().client_chain() == ChainOf(Of("p256"))
                   ? Done()
                   : Wrong("somebody else was shown");
      },
      8);
}

TEST_CASE("faults: signed elsewhere") {
  for (const int version : kVersions) {
    for (const char* kind : {"p256", "rsa"}) {
      Meeting meeting = Asked(version, &Of(kind));
      meeting.answer_anew = nullptr;
      meeting.answer = ExternalOf(Of(kind));
      meeting.signs_with = &Of(kind);
      Explore(Named("signed elsewhere", version) + ", " + kind, meeting);
    }
  }
}

TEST_CASE("faults: given up while a signature is waited for") {
  for (const int version : kVersions) {
    const Meeting meeting = [&] {
      Meeting made = Asked(version, &Of("p256"));
      made.answer_anew = nullptr;
      made.answer = ExternalOf(Of("p256"));
      return made;
    }();
    Explore(Named("given up", version), [&]() -> Outcome {
      MemoryServer server(meeting.server);
      auto made = Armed(
          [&] { return Connection::Create(meeting.context, meeting.options); });
      if (!made.ok()) return Failed(made.failure());
      Connection& client = *made.value();
      Outcome outcome;
      while (true) {
        const Step step = Armed([&] { return client.Handshake(); });
        Bytes sent(client.outgoing().size());
        client.outgoing().Take(sent.data(), sent.size());
        server.Receive(sent);
        server.Advance();
        if (step == Step::kWantVerify) {
          client.AcceptServer();
        } else if (step == Step::kWantClientCert) {
          client.Answer(meeting.answer);
        } else if (step == Step::kFailed) {
          outcome = Failed(*client.failure());
          break;
        } else if (step == Step::kWantRead) {
          const Bytes words = server.Take();
          if (words.empty()) return Wrong("it waits for ever");
          client.Receive(words);
        } else {
          if (step != Step::kWantSignature) return Wrong("no signature wanted");
          break;
        }
      }
      const Arm arm;
      made.value().reset();
      return outcome;
    });
  }
}

TEST_CASE("faults: a server that is not trusted") {
  for (const int version : kVersions) {
    Meeting meeting = Asked(version, &Of("p256"));
    meeting.server.identity = &ThePki().stranger_server;
    meeting.trusted = false;
    // It has to fail always, and for that reason or another.
    Explore(Named("not trusted", version), [&]() -> Outcome {
      const Outcome outcome = Client(meeting).Run();
      if (!outcome.wrong.empty()) return outcome;
      if (!outcome.failure) return Wrong("it did not fail");
      return Injected() ? outcome : Done();
    });
  }
}

TEST_CASE("faults: a server whose certificate was revoked") {
  const X509CrlPointer crl = ThePki().MakeCrl(true);
  const Bytes list = CrlPem(crl.get());
  const Bytes root = CertificatePem(ThePki().root_a.certificate.get());
  ContextOptions options = TrustingOptions();
  auto trust = TrustStore::Create({root}, {list}, nullptr);
  REQUIRE(trust.ok());
  options.trust = trust.value();
  Meeting meeting = Asked(TLS1_3_VERSION, &Of("p256"));
  meeting.context = MakeContext(options);
  meeting.server.identity = &ThePki().revoked_server;
  meeting.trusted = false;
  Explore("revoked", [&]() -> Outcome {
    const Outcome outcome = Client(meeting).Run();
    if (!outcome.wrong.empty()) return outcome;
    if (!outcome.failure) return Wrong("it did not fail");
    return Injected() ? outcome : Done();
  });
}

TEST_CASE("faults: a key shared in advance") {
  static const Bytes key(16, 7);
  for (const int version : kVersions) {
    ContextOptions options = TrustingOptions();
    options.cipher_list = "PSK:DEFAULT:@SECLEVEL=1";
    options.min_version = options.max_version = version;
    Meeting meeting = Asked(version, nullptr);
    meeting.context = MakeContext(options);
    meeting.server.auth = ClientAuth::kNone;
    meeting.server.authorities.clear();
    meeting.options.has_shared_keys = true;
    meeting.shared_key = key;
    meeting.prepare = [](MemoryServer* server) {
      SSL_set_cipher_list(server->ssl(), "PSK:@SECLEVEL=1");
      SSL_set_ciphersuites(server->ssl(), "TLS_AES_128_GCM_SHA256");
      SSL_use_psk_identity_hint(server->ssl(), "a hint");
      SSL_set_psk_server_callback(
          server->ssl(),
          [](SSL*, const char* identity, unsigned char* out,
             unsigned room) -> unsigned {
            if (std::strcmp(identity, "me") != 0 || room < key.size()) return 0;
            std::memcpy(out, key.data(), key.size());
            return static_cast<unsigned>(key.size());
          });
    };
    meeting.then = [](Client* client) -> std::string {
      return client->connection().by_shared_key() ? "" : "by no shared key";
    };
    Explore(Named("shared key", version), meeting);
  }
}

TEST_CASE("faults: a stapled OCSP response") {
  for (const int version : kVersions) {
    Meeting meeting = Asked(version, &Of("p256"));
    meeting.options.requests_ocsp = true;
    meeting.prepare = [](MemoryServer* server) {
      SSL_CTX_set_tlsext_status_cb(
          server->context(), +[](SSL* ssl, void*) -> int {
            const std::string response = "a response";
            SSL_set_tlsext_status_ocsp_resp(
                ssl, OPENSSL_memdup(response.data(), response.size()),
                static_cast<long>(response.size()));  // NOLINT
            return SSL_TLSEXT_ERR_OK;
          });
    };
    Explore(Named("OCSP", version), meeting);
  }
}

TEST_CASE("faults: a session resumed") {
  for (const int version : kVersions) {
    Meeting first = Asked(version, nullptr);
    first.options.credentials = {CredentialOf(Of("p256"))};
    first.shown = &Of("p256");
    first.server.closes_tickets = false;
    first.server.authorities.clear();
    // Held open, since its context is what knows how to resume.
    Client kept(first);
    const Outcome outcome = kept.Run();
    REQUIRE_FALSE(outcome.failure);
    REQUIRE(outcome.wrong == "");
    REQUIRE_FALSE(kept.sessions().empty());
    Meeting again = first;
    again.server.context = kept.server().context();
    again.options.session = kept.sessions().back();
    again.resumed = true;
    Explore(Named("resumed", version), again);
  }
}

TEST_CASE("faults: asked again when it is open") {
  for (const int version : kVersions) {
    Meeting meeting = Asked(version, &Of("p256"));
    meeting.server.authorities.clear();
    meeting.options.post_handshake_auth = true;
    meeting.options.reselects = true;
    meeting.then = [version](Client* client) -> std::string {
      const int before = client->requests();
      if (version == TLS1_3_VERSION) {
        if (!client->server().RequestPostHandshake()) return "not allowed";
      } else {
        client->server().Renegotiate();
      }
      const std::string wrong = client->ReadAll();
      if (!wrong.empty() || client->failed()) return wrong;
      if (client->requests() != before + 1) return "not asked once";
      if (client->server().client_chain() != ChainOf(Of("p256"))) {
        return "the server knows another";
      }
      return client->Talk();
    };
    Explore(Named("asked again", version), meeting);
  }
}

TEST_CASE("faults: a renegotiation of the client's") {
  Meeting meeting = Asked(TLS1_2_VERSION, &Of("p256"));
  meeting.then = [](Client* client) -> std::string {
    const auto failure =
        Armed([&] { return client->connection().Renegotiate(); });
    if (failure) {
      client->Fail(*failure);
      return "";
    }
    const std::string wrong = client->ReadAll();
    if (!wrong.empty() || client->failed()) return wrong;
    return client->renegotiations() == 1 ? client->Talk() : "not told of";
  };
  Explore("renegotiated", meeting);
}

TEST_CASE("faults: exported, and all that is known of a handshake") {
  for (const int version : kVersions) {
    Meeting meeting = Asked(version, &Of("p256"));
    meeting.then = [](Client* client) -> std::string {
      SSL* ssl = client->connection().ssl();
      auto made = Armed([&] {
        return ExportKeyingMaterial(ssl, 32, "EXPORTER-test", BytesView());
      });
      if (!made.ok()) {
        client->Fail(made.failure());
        return "";
      }
      SecretBytes expected(32);
      SSL_export_keying_material(client->server().ssl(), expected.data(), 32,
                                 "EXPORTER-test", 13, nullptr, 0, 1);
      if (made.value() != expected) return "another was exported";
      const Arm arm;
      EphemeralKeyOf(ssl);
      SharedSignatureAlgorithms(ssl);
      FinishedOf(ssl, Sender::kServer);
      client->connection().session();
      return "";
    };
    Explore(Named("exported", version), meeting);
  }
}

TEST_CASE("faults: keys and messages written down") {
  for (const int version : kVersions) {
    Meeting meeting = Asked(version, &Of("p256"));
    meeting.writes_down = true;
    meeting.then = [](Client* client) -> std::string {
      Journal* journal = client->connection().journal();
      if (journal->TakeKeyLines().empty()) return "no keys were written down";
      const Arm arm;
      journal->TakeTrace();
      return "";
    };
    Explore(Named("written down", version), meeting);
  }
}

}  // namespace tls_client_cert::test::faults
