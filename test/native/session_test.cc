// Sessions: resumed as whom they were made, and as nobody else.
#include <openssl/err.h>

#include "pair.h"

namespace tls_client_cert::test {

namespace {

using As = SessionMark::Identity;

// The four ways in which a server keeps what it needs to resume.
struct Kind {
  const char* name;
  int version;
  bool keeps_sessions;
};

constexpr Kind kKinds[] = {
    {"TLS 1.2, ticket", TLS1_2_VERSION, false},
    {"TLS 1.2, session id", TLS1_2_VERSION, true},
    {"TLS 1.3, ticket", TLS1_3_VERSION, false},
    {"TLS 1.3, kept by the server", TLS1_3_VERSION, true},
};

const Identity& Client(const char* kind) { return ThePki().clients.at(kind); }
Credential::Pointer X() { return CredentialOf(Client("p256")); }
Credential::Pointer Y() { return CredentialOf(Client("rsa")); }

ServerOptions ServerOf(const Kind& kind, ClientAuth auth) {
  ServerOptions server = test::ServerOf(kind.version);
  server.closes_tickets = false;
  server.keeps_sessions = kind.keeps_sessions;
  server.auth = auth;
  return server;
}

// As it will be for a connection of which nothing but `credential` is known.
ConnectionOptions Configured(const Credential::Pointer& credential) {
  ConnectionOptions options;
  options.post_handshake_auth = true;
  options.renegotiation_limit.count = 100;
  if (credential) options.credentials = {credential};
  return options;
}

ConnectionOptions AnsweredBefore(const Credential::Pointer& credential) {
  ConnectionOptions options = Configured(nullptr);
  options.session_credential = credential;
  return options;
}

ConnectionOptions Required(ConnectionOptions options) {
  options.requires_client_cert = true;
  return options;
}

// To the end of the handshake, and past the tickets: the server is accepted,
// a question is answered with `credential` or declined.
void Finish(Pair* pair, const Credential::Pointer& credential) {
  Step step = pair->Run();
  while (step == Step::kWantVerify || step == Step::kWantClientCert) {
    if (step == Step::kWantVerify) {
      pair->client().AcceptServer();
    } else if (credential) {
      pair->client().Answer(credential);
    } else {
      pair->client().Decline();
    }
    step = pair->Run();
  }
  REQUIRE(step == Step::kDone);
  pair->Exchange();
  REQUIRE(pair->ReadAll() == Step::kWantRead);
  REQUIRE(pair->server().open());
}

std::unique_ptr<Pair> Meet(const ServerOptions& server,
                           const ConnectionOptions& options,
                           const Credential::Pointer& answer,
                           const Context::Pointer& context = AskingContext()) {
  auto pair = std::make_unique<Pair>(context, server, options);
  Finish(pair.get(), answer);
  CHECK_FALSE(pair->sessions().empty());
  return pair;
}

// A first connection that was asked, and answered or declined.
std::unique_ptr<Pair> MeetAs(const Kind& kind,
                             const Credential::Pointer& answer) {
  return Meet(ServerOf(kind, ClientAuth::kRequest), Configured(nullptr),
              answer);
}

// A second connection to the server of `first`, run up to its first question
// or its end.
std::unique_ptr<Pair> Return(Pair* first, const Bytes& session,
                             ConnectionOptions options,
                             const Context::Pointer& context = AskingContext(),
                             ServerOptions server = {}) {
  server.context = first->server().context();
  options.session = Secret(session);
  auto pair = std::make_unique<Pair>(context, server, options);
  if (pair->Run() == Step::kDone) {
    pair->Exchange();
    CHECK(pair->ReadAll() == Step::kWantRead);
  }
  CHECK(ERR_peek_error() == 0);
  return pair;
}

std::unique_ptr<Pair> Return(
    Pair* first, const ConnectionOptions& options,
    const Context::Pointer& context = AskingContext()) {
  return Return(first, first->sessions().back(), options, context);
}

// What a ClientHello that offers `der` has to contain.
Bytes Handle(const Bytes& der) {
  const SslSessionPointer session = ParseSession(der);
  REQUIRE(session);
  const uint8_t* data = nullptr;
  size_t size = 0;
  SSL_SESSION_get0_ticket(session.get(), &data, &size);
  if (size == 0) {
    unsigned length = 0;
    data = SSL_SESSION_get_id(session.get(), &length);
    size = length;
  }
  REQUIRE(size > 8);
  return Bytes(data, data + size);
}

SessionMark MarkOf(const Bytes& der) {
  const SslSessionPointer session = ParseSession(der);
  REQUIRE(session);
  const auto mark = ReadSessionMark(session.get());
  REQUIRE(mark);
  return *mark;
}

bool IsOne(const Bytes& der, const Credential::Pointer& credential,
           As how = As::kOne) {
  const SessionMark mark = MarkOf(der);
  return mark.identity == how && mark.certificate == credential->fingerprint();
}

void CheckResumed(Pair* pair) {
  CHECK(pair->client().resumed());
  CHECK(pair->client().session_reused());
  CHECK(SSL_session_reused(pair->server().ssl()) == 1);
  CHECK(pair->client().attempt() == 0);
  CHECK(pair->client().log().certificate() ==
        HandshakeLog::Certificate::kNotRequested);
  CheckAlive(pair);
}

// Not resumed because the session never left: the server is judged anew.
void CheckNotOffered(Pair* pair, const Bytes& session) {
  CHECK_FALSE(Contains(pair->wire(), Handle(session)));
  CHECK(pair->client().Handshake() == Step::kWantVerify);
  CHECK_FALSE(pair->client().resumed());
  CHECK_FALSE(pair->client().resumed_as_somebody());
  CHECK_FALSE(pair->client().failure());
}

void CheckNotOffered(Pair* first, const ConnectionOptions& options,
                     const Context::Pointer& context = AskingContext()) {
  const auto pair = Return(first, options, context);
  CheckNotOffered(pair.get(), first->sessions().back());
}

// Whoever it is, with whatever is known of who it was.
void CheckNeverOffered(Pair* first) {
  ConnectionOptions all = AnsweredBefore(X());
  all.session_declined = true;
  for (const ConnectionOptions& options :
       {all, Required(AnsweredBefore(X())), AnsweredBefore(Y()),
        Configured(X()), Configured(Y())}) {
    CheckNotOffered(first, options);
  }
  CheckNotOffered(first, Configured(nullptr),
                  MakeContext(TrustingOptions(), false));
}

Bytes LeafDer(X509* certificate) {
  REQUIRE(certificate != nullptr);
  return CertificateDer(certificate);
}

// A request later in the connection, answered with `credential`.
void AskLater(Pair* pair, const Credential::Pointer& credential) {
  if (SSL_version(pair->server().ssl()) == TLS1_3_VERSION) {
    REQUIRE(pair->server().RequestPostHandshake());
  } else {
    pair->server().Renegotiate();
  }
  Step step = pair->ReadAll();
  if (step == Step::kWantVerify) {
    pair->client().AcceptServer();
    step = pair->ReadAll();
  }
  if (step == Step::kWantClientCert) {
    if (credential) {
      pair->client().Answer(credential);
    } else {
      pair->client().Decline();
    }
    step = pair->ReadAll();
  }
  REQUIRE(step == Step::kWantRead);
}

// What a client that is not this library has after meeting `server`.
Bytes PlainSession(MemoryServer* server) {
  const SslCtxPointer context(SSL_CTX_new(TLS_client_method()));
  const SslPointer ssl(SSL_new(context.get()));
  BIO* in = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in, -1);
  SSL_set_bio(ssl.get(), in, BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl.get());
  for (int i = 0; i < 5; i++) {
    uint8_t buffer[16384];
    (void)SSL_read(ssl.get(), buffer, sizeof(buffer));
    const int size = BIO_read(SSL_get_wbio(ssl.get()), buffer, sizeof(buffer));
    if (size > 0) {
      server->Receive(BytesView(buffer, static_cast<size_t>(size)));
    }
    server->Advance();
    const Bytes reply = server->Take();
    BIO_write(in, reply.data(), static_cast<int>(reply.size()));
  }
  REQUIRE(server->open());
  ERR_clear_error();
  return Plain(SerializeSession(SSL_get0_session(ssl.get())));
}

}  // namespace

TEST_CASE("session: made where nobody was asked, resumed by anybody") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto nobody = MakeContext(TrustingOptions(), false);
    for (const auto& options :
         {Configured(nullptr), Configured(X()), AnsweredBefore(Y())}) {
      const auto first =
          Meet(ServerOf(kind, ClientAuth::kNone), Configured(nullptr), nullptr);
      CHECK_FALSE(first->client().resumed());
      CHECK(MarkOf(first->sessions()[0]).identity == As::kUnasked);
      CHECK(MarkOf(first->sessions().back()).identity == As::kUnasked);
      const auto pair = Return(first.get(), options);
      CheckResumed(pair.get());
      CHECK_FALSE(pair->client().resumed_as_somebody());
      CHECK(pair->client().static_credential() == -1);
    }
    const auto first =
        Meet(ServerOf(kind, ClientAuth::kNone), Configured(nullptr), nullptr);
    CheckResumed(Return(first.get(), Configured(nullptr), nobody).get());
  }
}

TEST_CASE("session: what is known of the server afterwards") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto first = MeetAs(kind, X());
    const auto pair = Return(first.get(), Configured(X()));
    CheckResumed(pair.get());
    CHECK(LeafDer(pair->client().peer_certificate()) ==
          CertificateDer(ThePki().server.certificate.get()));
    CHECK(pair->client().peer_chain() == nullptr);
    CHECK(pair->client().verified_chain() == nullptr);
    CHECK(pair->client().server_chain_error() == X509_V_OK);
    CHECK(std::string(pair->client().protocol()) == first->client().protocol());
  }
}

TEST_CASE("session: an untrusted server stays one") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    ServerOptions server = ServerOf(kind, ClientAuth::kNone);
    server.identity = &ThePki().stranger_server;
    // Accepted in spite of it, as rejectUnauthorized: false does.
    const auto first = Meet(server, Configured(nullptr), nullptr);
    CHECK(first->client().server_chain_error() ==
          X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE);
    const auto pair = Return(first.get(), Configured(nullptr));
    CheckResumed(pair.get());
    CHECK(pair->client().server_chain_error() ==
          X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE);
    CHECK(LeafDer(pair->client().peer_certificate()) ==
          CertificateDer(ThePki().stranger_server.certificate.get()));
    // Nor does what comes of it forget.
    const auto again = Return(first.get(), Plain(pair->client().session()),
                              Configured(nullptr));
    CheckResumed(again.get());
    CHECK(again->client().server_chain_error() ==
          X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE);
  }
}

TEST_CASE("session: made under a certificate, resumed under it") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto check = [&](const ConnectionOptions& options, int index) {
      // A server forgets a kept session with a connection that was cut off.
      const auto first = MeetAs(kind, X());
      CHECK(IsOne(first->sessions()[0], X()));
      CHECK(IsOne(first->sessions().back(), X()));
      const auto pair = Return(first.get(), options);
      CheckResumed(pair.get());
      CHECK(pair->client().resumed_as_somebody());
      CHECK(pair->client().static_credential() == index);
      // The server goes by what it knows of old.
      REQUIRE_FALSE(pair->server().client_chain().empty());
      CHECK(pair->server().client_chain()[0] == ChainOf(Client("p256"))[0]);
    };
    check(Configured(X()), 0);
    ConnectionOptions options = Configured(Y());
    options.credentials.push_back(X());
    check(options, 1);
    check(AnsweredBefore(X()), -1);
    options.credentials.pop_back();
    options.session_credential = X();
    check(options, -1);
  }
}

TEST_CASE("session: made with a credential set in advance as well") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto first =
        Meet(ServerOf(kind, ClientAuth::kRequest), Configured(X()), nullptr);
    CHECK(first->client().static_credential() == 0);
    CHECK(IsOne(first->sessions().back(), X()));
    const auto pair = Return(first.get(), AnsweredBefore(X()));
    CheckResumed(pair.get());
    CHECK(pair->client().resumed_as_somebody());
  }
}

TEST_CASE("session: never offered for another identity") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto first = MeetAs(kind, X());
    const auto nobody = MakeContext(TrustingOptions(), false);
    CheckNotOffered(first.get(), Configured(Y()));
    CheckNotOffered(first.get(), AnsweredBefore(Y()));
    CheckNotOffered(first.get(), Configured(nullptr));
    CheckNotOffered(first.get(), Configured(nullptr), nobody);
    ConnectionOptions declined = Configured(nullptr);
    declined.session_declined = true;
    CheckNotOffered(first.get(), declined);
    // And its place is taken by a session of the new identity's own.
    const auto pair = Return(first.get(), Configured(Y()));
    Finish(pair.get(), nullptr);
    CHECK(pair->server().client_chain() == ChainOf(Client("rsa")));
    CHECK(IsOne(pair->sessions().back(), Y()));
    CHECK_FALSE(pair->client().resumed());
  }
}

TEST_CASE("session: made when declined, resumed where that still holds") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto first = MeetAs(kind, nullptr);
    CHECK(MarkOf(first->sessions().back()).identity == As::kDeclined);
    ConnectionOptions declined = Configured(nullptr);
    declined.session_declined = true;
    auto pair = Return(first.get(), declined);
    CheckResumed(pair.get());
    CHECK_FALSE(pair->client().resumed_as_somebody());
    CHECK(pair->server().client_chain().empty());
    // With nobody to ask, and nothing to send.
    const auto nobody = MakeContext(TrustingOptions(), false);
    CheckResumed(Return(first.get(), Configured(nullptr), nobody).get());

    CheckNotOffered(first.get(), Configured(nullptr));
    CheckNotOffered(first.get(), Configured(X()), nobody);
    ConnectionOptions asks = Configured(nullptr);
    asks.asks_for_client_cert = true;
    CheckNotOffered(first.get(), asks, nobody);
  }
}

TEST_CASE("session: made with nothing configured, which counts as declined") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto nobody = MakeContext(TrustingOptions(), false);
    const auto first = Meet(ServerOf(kind, ClientAuth::kRequest),
                            Configured(nullptr), nullptr, nobody);
    CHECK(MarkOf(first->sessions().back()).identity == As::kDeclined);
    CheckResumed(Return(first.get(), Configured(nullptr), nobody).get());
    CheckNotOffered(first.get(), Configured(nullptr));
    CheckNotOffered(first.get(), Configured(X()), nobody);
  }
}

TEST_CASE("session: never offered under another trust") {
  const auto trusting = [](const std::vector<Bytes>& authorities,
                           const std::vector<Bytes>& crls = {}) {
    ContextOptions options = TrustingOptions();
    auto made = TrustStore::Create({authorities.begin(), authorities.end()},
                                   {crls.begin(), crls.end()}, nullptr);
    REQUIRE(made.ok());
    options.trust = made.value();
    return options;
  };
  const Bytes a = CertificatePem(ThePki().root_a.certificate.get());
  const Bytes b = CertificatePem(ThePki().root_b.certificate.get());
  ContextOptions partial = TrustingOptions();
  partial.allow_partial_trust_chain = true;
  ContextOptions none = TrustingOptions();
  none.trust = nullptr;
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto first =
        Meet(ServerOf(kind, ClientAuth::kNone), Configured(nullptr), nullptr);
    const auto same = MakeContext(trusting({a}));
    CheckResumed(Return(first.get(), Configured(nullptr), same).get());
    const Bytes crl = CrlPem(ThePki().MakeCrl(false).get());
    for (const ContextOptions& other :
         {trusting({b}), trusting({a, b}), trusting({}), trusting({a}, {crl}),
          partial, none}) {
      CheckNotOffered(first.get(), Configured(nullptr), MakeContext(other));
    }
  }
}

TEST_CASE("session: made under several identities, never offered at all") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    ConnectionOptions options = Configured(nullptr);
    options.reselects = true;
    const auto first = Meet(ServerOf(kind, ClientAuth::kRequest), options, X());
    CHECK(IsOne(Plain(first->client().session()), X()));
    // The same once more is still one.
    AskLater(first.get(), X());
    CHECK(IsOne(Plain(first->client().session()), X()));
    AskLater(first.get(), Y());
    CHECK(first->server().client_chain() == ChainOf(Client("rsa")));
    CHECK(MarkOf(Plain(first->client().session())).identity == As::kSeveral);
    CHECK(MarkOf(first->sessions().back()).identity == As::kSeveral);

    CheckNeverOffered(first.get());
  }
}

TEST_CASE("session: shown one, then none, and never offered as that one") {
  for (const Kind& kind : kKinds) {
    for (const bool asks : {true, false}) {
      // On TLS 1.3 there is no handshake without a request.
      if (!asks && kind.version == TLS1_3_VERSION) continue;
      CAPTURE(std::string(kind.name));
      CAPTURE(asks);
      ConnectionOptions options = Configured(nullptr);
      options.reselects = true;
      const auto first =
          Meet(ServerOf(kind, ClientAuth::kRequest), options, X());
      const size_t before = first->sessions().size();
      if (!asks) {
        SSL_set_verify(first->server().ssl(), SSL_VERIFY_NONE, nullptr);
      }
      AskLater(first.get(), nullptr);
      REQUIRE(first->server().client_chain().empty());
      REQUIRE(first->sessions().size() > before);

      CheckNeverOffered(first.get());
    }
  }
}

TEST_CASE("session: resumed as one, then not asked, and not offered again") {
  const auto first = MeetAs(kKinds[0], X());
  const auto pair = Return(first.get(), AnsweredBefore(X()));
  CheckResumed(pair.get());
  SSL_set_verify(pair->server().ssl(), SSL_VERIFY_NONE, nullptr);
  AskLater(pair.get(), nullptr);
  REQUIRE(pair->server().client_chain().empty());
  CHECK(MarkOf(pair->sessions().back()).identity == As::kSeveral);
  CheckNotOffered(pair.get(), Configured(X()));
}

TEST_CASE("session: one that somebody else made is not offered") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    Pair first(AskingContext(), ServerOf(kind, ClientAuth::kRequest));
    const Bytes plain = PlainSession(&first.server());
    REQUIRE_FALSE(plain.empty());
    ConnectionOptions options = AnsweredBefore(X());
    options.session_declined = true;
    const auto pair = Return(&first, plain, options);
    CheckNotOffered(pair.get(), plain);
    // But for the mark it would do.
    const SslSessionPointer session = ParseSession(plain);
    SessionMark mark;
    mark.trust = AskingContext()->trust_digest();
    REQUIRE(WriteSessionMark(session.get(), mark));
    CheckResumed(
        Return(&first, Plain(SerializeSession(session.get())), options).get());
  }
}

TEST_CASE("session: garbage costs a full handshake and nothing else") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto first =
        Meet(ServerOf(kind, ClientAuth::kNone), Configured(nullptr), nullptr);
    Bytes cut = first->sessions().back();
    cut.resize(cut.size() / 2);
    for (const Bytes& garbage :
         {Text("garbage"), Bytes(5000, 0x30), Bytes(1, 0), cut}) {
      const auto pair = Return(first.get(), garbage, Configured(nullptr));
      CHECK(pair->client().Handshake() == Step::kWantVerify);
      Finish(pair.get(), nullptr);
      CHECK_FALSE(pair->client().resumed());
      CheckAlive(pair.get());
    }
  }
}

TEST_CASE("session: of another version it costs a full handshake") {
  const auto older = Meet(ServerOf(kKinds[0], ClientAuth::kNone),
                          Configured(nullptr), nullptr);
  const auto newer = Meet(ServerOf(kKinds[2], ClientAuth::kNone),
                          Configured(nullptr), nullptr);
  for (const bool swap : {false, true}) {
    Pair* const maker = swap ? newer.get() : older.get();
    Pair* const other = swap ? older.get() : newer.get();
    const auto pair =
        Return(other, maker->sessions().back(), Configured(nullptr));
    Finish(pair.get(), nullptr);
    CHECK_FALSE(pair->client().resumed());
    CheckAlive(pair.get());
  }
}

TEST_CASE("session: the server refuses, and it is as if none was offered") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto first = MeetAs(kind, X());
    // Another server, with other keys for its tickets.
    const auto other = MeetAs(kind, X());
    const Bytes& session = first->sessions().back();
    {
      const auto pair = Return(other.get(), session, AnsweredBefore(X()));
      CHECK(Contains(pair->wire(), Handle(session)));
      REQUIRE(pair->client().Handshake() == Step::kWantVerify);
      CHECK(pair->client().server_chain_error() == X509_V_OK);
      REQUIRE(pair->RunPastVerify() == Step::kWantClientCert);
      CHECK(pair->client().attempt() == 1);
      // Nobody is bound to what was answered then.
      pair->client().Decline();
      Finish(pair.get(), nullptr);
      CHECK_FALSE(pair->client().resumed());
      CHECK_FALSE(pair->client().resumed_as_somebody());
      CHECK(pair->server().client_chain().empty());
      CHECK(MarkOf(pair->sessions().back()).identity == As::kDeclined);
      CHECK(MarkOf(Plain(pair->client().session())).identity == As::kDeclined);
      CheckAlive(pair.get());
    }
    {
      ConnectionOptions options = Configured(Y());
      options.session_credential = X();
      const auto pair = Return(other.get(), session, options);
      Finish(pair.get(), nullptr);
      CHECK(pair->client().static_credential() == 0);
      CHECK(pair->server().client_chain() == ChainOf(Client("rsa")));
      CHECK(IsOne(pair->sessions().back(), Y()));
    }
  }
}

TEST_CASE("session: a refused one's verdict on the server does not count") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    ServerOptions untrusted = ServerOf(kind, ClientAuth::kNone);
    untrusted.identity = &ThePki().stranger_server;
    const auto first = Meet(untrusted, Configured(nullptr), nullptr);
    const auto other =
        Meet(ServerOf(kind, ClientAuth::kNone), Configured(nullptr), nullptr);
    const auto pair =
        Return(other.get(), first->sessions().back(), Configured(nullptr));
    Finish(pair.get(), nullptr);
    CHECK_FALSE(pair->client().resumed());
    CHECK(pair->client().server_chain_error() == X509_V_OK);
  }
}

TEST_CASE("session: what comes of a resumed connection is marked the same") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    for (const bool declines : {false, true}) {
      CAPTURE(declines);
      const auto first = MeetAs(kind, declines ? nullptr : X());
      ConnectionOptions options = AnsweredBefore(X());
      options.session_declined = true;
      const As expected = declines ? As::kDeclined : As::kOne;
      Bytes session = first->sessions().back();
      for (int i = 0; i < 3; i++) {
        const auto pair = Return(first.get(), session, options);
        CheckResumed(pair.get());
        CHECK(pair->client().resumed_as_somebody() == !declines);
        if (kind.version == TLS1_3_VERSION) {
          REQUIRE_FALSE(pair->sessions().empty());
          CHECK(MarkOf(pair->sessions().back()).identity == expected);
        }
        session = Plain(pair->client().session());
        CHECK(MarkOf(session).identity == expected);
        // It is forgotten with a connection that was cut off, as `pair` is.
        if (kind.keeps_sessions) break;
      }
    }
  }
}

TEST_CASE("session: each ticket says what the server knew when it was made") {
  for (const bool keeps : {false, true}) {
    CAPTURE(keeps);
    const auto first =
        Meet(ServerOf({"", TLS1_3_VERSION, keeps}, ClientAuth::kLater),
             Configured(nullptr), nullptr);
    const size_t before = first->sessions().size();
    REQUIRE(before == 2);
    AskLater(first.get(), X());
    REQUIRE(first->sessions().size() > before);
    CHECK(MarkOf(first->sessions()[before - 1]).identity == As::kUnasked);
    CHECK(IsOne(first->sessions()[before], X(), As::kOneLater));
    CHECK(IsOne(Plain(first->client().session()), X(), As::kOneLater));

    const auto early =
        Return(first.get(), first->sessions()[before - 1], AnsweredBefore(X()));
    CheckResumed(early.get());
    CHECK_FALSE(early->client().resumed_as_somebody());
    CHECK(early->server().client_chain().empty());
    const auto late = Return(first.get(), AnsweredBefore(X()));
    CheckResumed(late.get());
    CHECK(late->client().resumed_as_somebody());
    REQUIRE_FALSE(late->server().client_chain().empty());
    CHECK(late->server().client_chain()[0] == ChainOf(Client("p256"))[0]);
    CheckNotOffered(first.get(), Configured(Y()));
    CheckNotOffered(first.get(), Configured(nullptr));
  }
}

TEST_CASE("session: a ticket that was on its way when the answer was given") {
  for (const bool keeps : {false, true}) {
    CAPTURE(keeps);
    const auto first =
        Meet(ServerOf({"", TLS1_3_VERSION, keeps}, ClientAuth::kLater),
             Configured(nullptr), nullptr);
    const size_t before = first->sessions().size();
    REQUIRE(first->server().RequestPostHandshake());
    REQUIRE(SSL_new_session_ticket(first->server().ssl()) == 1);
    first->server().Write(Text("behind the ticket"));
    REQUIRE(first->ReadAll() == Step::kWantClientCert);
    REQUIRE(first->sessions().size() == before);
    first->client().Answer(X());
    REQUIRE(first->ReadAll() == Step::kWantRead);
    REQUIRE(first->sessions().size() > before);
    const Bytes& early = first->sessions()[before];

    const ConnectionOptions known = Required(AnsweredBefore(X()));
    CheckNotOffered(Return(first.get(), early, known).get(), early);
    // By nobody is one of the later ones told from it.
    CheckNotOffered(first.get(), known);
    CheckNotOffered(first.get(), Configured(Y()));
    const auto pair = Return(first.get(), early, AnsweredBefore(X()));
    CheckResumed(pair.get());
    CHECK(pair->server().client_chain().empty());
    // Nor is what comes of it.
    const Bytes next = Plain(pair->client().session());
    CheckNotOffered(Return(first.get(), next, known).get(), next);
  }
}

TEST_CASE("session: known in the handshake already, and shown again later") {
  const auto first =
      Meet(ServerOf(kKinds[2], ClientAuth::kRequest), Configured(nullptr), X());
  AskLater(first.get(), X());
  CHECK(first->server().CountMessages(SSL3_MT_CERTIFICATE) == 2);
  CheckResumed(Return(first.get(), Required(AnsweredBefore(X()))).get());
}

TEST_CASE("session: declined after the handshake") {
  const auto first = Meet(ServerOf(kKinds[2], ClientAuth::kLater),
                          Configured(nullptr), nullptr);
  AskLater(first.get(), nullptr);
  CHECK(MarkOf(Plain(first->client().session())).identity == As::kDeclined);
  CheckNotOffered(first.get(), Configured(X()));
}

TEST_CASE("session: the current one is whose it was when it came") {
  // This server gives out no ticket after the request: the one at hand is
  // older, and in it the server knows nobody.
  const auto first = Meet(ServerOf(kKinds[2], ClientAuth::kLater),
                          Configured(nullptr), nullptr);
  REQUIRE(SSL_set_num_tickets(first->server().ssl(), 0) == 1);
  const size_t before = first->sessions().size();
  AskLater(first.get(), X());
  REQUIRE(first->sessions().size() == before);
  const Bytes session = Plain(first->client().session());
  CHECK(MarkOf(session).identity == As::kUnasked);
  const auto pair = Return(first.get(), session, Configured(Y()));
  CheckResumed(pair.get());
  CHECK_FALSE(pair->client().resumed_as_somebody());
  CHECK(pair->server().client_chain().empty());
}

TEST_CASE("session: resumed as one, asked again as another") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    for (const bool same : {true, false}) {
      CAPTURE(same);
      const auto first = MeetAs(kind, X());
      const auto pair = Return(first.get(), AnsweredBefore(X()));
      CheckResumed(pair.get());
      AskLater(pair.get(), same ? X() : Y());
      CHECK(pair->server().client_chain() ==
            ChainOf(Client(same ? "p256" : "rsa")));
      CHECK(MarkOf(Plain(pair->client().session())).identity ==
            (same ? As::kOne : As::kSeveral));
      // A full renegotiation makes a session of its own.
      const bool spared = kind.version == TLS1_3_VERSION;
      CHECK(pair->client().resumed() == spared);
      CHECK(pair->client().resumed_as_somebody() == spared);
    }
  }
}

TEST_CASE("session: resumed as one, and a credential set in advance later") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto first = MeetAs(kind, X());
    ConnectionOptions options = Configured(Y());
    options.credentials.push_back(X());
    const auto pair = Return(first.get(), options);
    CheckResumed(pair.get());
    CHECK(pair->client().static_credential() == 1);
    AskLater(pair.get(), nullptr);
    CHECK(pair->client().static_credential() == 0);
    CHECK(pair->server().client_chain() == ChainOf(Client("rsa")));
    CHECK(MarkOf(Plain(pair->client().session())).identity == As::kSeveral);
  }
}

TEST_CASE("session: resumed, renegotiated in full, and no longer resumed") {
  const auto first = MeetAs(kKinds[0], X());
  const auto pair = Return(first.get(), AnsweredBefore(X()));
  CheckResumed(pair.get());
  SSL_set_verify(pair->server().ssl(), SSL_VERIFY_NONE, nullptr);
  AskLater(pair.get(), nullptr);
  CHECK(pair->renegotiations() == 1);
  CHECK_FALSE(pair->client().resumed());
  CHECK_FALSE(pair->client().resumed_as_somebody());
  CHECK_FALSE(pair->client().session_reused());
}

TEST_CASE("session: resumed, renegotiated in short, and still resumed") {
  ServerOptions server = ServerOf(kKinds[0], ClientAuth::kRequest);
  server.resumes_renegotiated = true;
  const auto first = Meet(server, Configured(nullptr), X());
  const auto pair = Return(first.get(), AnsweredBefore(X()));
  CheckResumed(pair.get());
  pair->server().Renegotiate();
  CHECK(pair->ReadAll() == Step::kWantRead);
  CHECK(pair->renegotiations() == 1);
  CHECK(pair->client().resumed());
  CHECK(pair->client().resumed_as_somebody());
}

TEST_CASE("session: the one of a renegotiation knows who was shown in it") {
  for (const bool keeps : {false, true}) {
    CAPTURE(keeps);
    const auto first =
        Meet(ServerOf({"", TLS1_2_VERSION, keeps}, ClientAuth::kNone),
             Configured(nullptr), nullptr);
    CHECK(first->sessions().size() == 1);
    SSL_set_verify(first->server().ssl(), SSL_VERIFY_PEER, nullptr);
    AskLater(first.get(), X());
    REQUIRE(first->sessions().size() == 2);
    CHECK(MarkOf(first->sessions()[0]).identity == As::kUnasked);
    CHECK(IsOne(first->sessions()[1], X()));
    const auto pair = Return(first.get(), Configured(X()));
    CheckResumed(pair.get());
    CHECK(pair->client().static_credential() == 0);
    CheckNotOffered(first.get(), Configured(Y()));
  }
}

TEST_CASE("session: none before there is one, and each is taken once") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    Pair pair(AskingContext(), ServerOf(kind, ClientAuth::kRequest));
    CHECK(pair.client().session().empty());
    CHECK(pair.client().TakeSession().empty());
    REQUIRE(pair.RunPastVerify() == Step::kWantClientCert);
    CHECK(pair.client().session().empty());
    pair.client().Decline();
    Finish(&pair, nullptr);
    const size_t expected = kind.version == TLS1_3_VERSION ? 2 : 1;
    REQUIRE(pair.sessions().size() == expected);
    CHECK(Plain(pair.client().session()) == pair.sessions().back());
    if (expected == 2) CHECK(pair.sessions()[0] != pair.sessions()[1]);
    CHECK(pair.client().TakeSession().empty());
    CHECK(pair.client().Handshake() == Step::kDone);
    CHECK(ERR_peek_error() == 0);
  }
}

TEST_CASE("session: told of before anything else, and no data is lost") {
  Pair pair(AskingContext(), ServerOf(kKinds[2], ClientAuth::kNone));
  REQUIRE(pair.RunPastVerify() == Step::kDone);
  pair.server().Write(Text("data"));
  pair.server().Close();
  pair.Exchange();
  uint8_t buffer[16];
  Transfer read = pair.client().Read(buffer, sizeof(buffer));
  CHECK(read.step == Step::kDone);
  CHECK(read.size == 4);
  for (int i = 0; i < 2; i++) {
    // The same until it is taken.
    CHECK(pair.client().Read(buffer, sizeof(buffer)).step == Step::kNewSession);
    CHECK(pair.client().Handshake() == Step::kNewSession);
    CHECK_FALSE(pair.client().TakeSession().empty());
  }
  CHECK(pair.client().Read(buffer, sizeof(buffer)).step == Step::kClosed);
}

TEST_CASE("session: one that waits to be taken keeps nobody from writing") {
  Pair pair(AskingContext(), ServerOf(kKinds[0], ClientAuth::kNone));
  REQUIRE(pair.Run() == Step::kWantVerify);
  pair.client().AcceptServer();
  REQUIRE(pair.client().Handshake() == Step::kWantRead);
  pair.Exchange();
  CHECK(pair.client().Handshake() == Step::kDone);
  CHECK(pair.client().Write(Text("words")).size == 5);
  CHECK(pair.client().Handshake() == Step::kNewSession);
  CHECK(pair.client().Write(Text("more")).size == 4);
  CHECK(pair.client().Shutdown() == Step::kDone);
  pair.Exchange();
  CHECK(pair.server().plaintext() == Text("wordsmore"));
  CHECK_FALSE(pair.client().TakeSession().empty());
}

TEST_CASE("session: a flood of tickets is bounded, and the newest are kept") {
  // A ticket of this kind is the id under which the server keeps the session.
  static std::vector<Bytes> made;
  made.clear();
  ServerOptions server = ServerOf(kKinds[3], ClientAuth::kNone);
  server.tickets = 100;
  Pair pair(AskingContext(), server);
  SSL_CTX_sess_set_new_cb(
      pair.server().context(), [](SSL*, SSL_SESSION* session) {
        unsigned size = 0;
        const uint8_t* id = SSL_SESSION_get_id(session, &size);
        made.emplace_back(id, id + size);
        return 0;
      });
  REQUIRE(pair.RunPastVerify() == Step::kDone);
  pair.server().Write(Text("data"));
  pair.Exchange();
  uint8_t buffer[16];
  CHECK(pair.client().Read(buffer, sizeof(buffer)).size == 4);
  std::vector<Bytes> taken;
  while (true) {
    const Bytes session = Plain(pair.client().TakeSession());
    if (session.empty()) break;
    taken.push_back(Handle(session));
  }
  REQUIRE(made.size() == 100);
  CHECK(taken == std::vector<Bytes>(made.end() - 8, made.end()));
}

TEST_CASE("session: a failure is told of before one that waits") {
  Pair pair(AskingContext(), ServerOf(kKinds[2], ClientAuth::kNone));
  REQUIRE(pair.RunPastVerify() == Step::kDone);
  pair.Exchange();
  pair.client().Receive(Bytes{22, 3, 3, 0, 4, 99, 0, 0, 0});
  uint8_t buffer[16];
  CHECK(pair.client().Read(buffer, sizeof(buffer)).step == Step::kFailed);
  CHECK(pair.client().Handshake() == Step::kFailed);
  // It is a session all the same.
  CHECK_FALSE(pair.client().TakeSession().empty());
}

TEST_CASE("session: refused, and the server does not ask") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto first = MeetAs(kind, X());
    const auto other =
        Meet(ServerOf(kind, ClientAuth::kNone), Configured(nullptr), nullptr);
    const auto pair =
        Return(other.get(), first->sessions().back(), Configured(X()));
    Finish(pair.get(), nullptr);
    // Nobody knows this client, neither now nor of old.
    CHECK(pair->client().static_credential() == -1);
    CHECK_FALSE(pair->client().resumed_as_somebody());
    CHECK(MarkOf(Plain(pair->client().session())).identity == As::kUnasked);
  }
}

TEST_CASE("session: none is kept where another connection could find it") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto context = AskingContext();
    const auto first = Meet(ServerOf(kind, ClientAuth::kRequest),
                            Configured(nullptr), X(), context);
    CHECK(SSL_CTX_sess_number(context->get()) == 0);
    ServerOptions server;
    server.context = first->server().context();
    Pair second(context, server);
    CHECK(second.Run() == Step::kWantVerify);
    CHECK_FALSE(Contains(second.wire(), Handle(first->sessions().back())));
  }
}

TEST_CASE("session: byte by byte it is the same") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    const auto first = MeetAs(kind, X());
    ServerOptions server;
    server.context = first->server().context();
    ConnectionOptions options = Configured(X());
    options.session = Secret(first->sessions().back());
    Pair pair(AskingContext(), server, options);
    pair.set_chunk(1);
    Finish(&pair, nullptr);
    CheckResumed(&pair);
    CHECK(pair.client().static_credential() == 0);
  }
}

TEST_CASE("session: a server that demands a certificate takes its session") {
  for (const Kind& kind : kKinds) {
    CAPTURE(std::string(kind.name));
    ServerOptions server = ServerOf(kind, ClientAuth::kRequire);
    server.judges = true;
    const auto first = Meet(server, Configured(X()), nullptr);
    CheckResumed(Return(first.get(), Configured(X())).get());
  }
}

TEST_CASE("session: destroyed with sessions nobody took") {
  Pair pair(AskingContext(), ServerOf(kKinds[2], ClientAuth::kNone));
  REQUIRE(pair.RunPastVerify() == Step::kDone);
  pair.Exchange();
  uint8_t buffer[16];
  CHECK(pair.client().Read(buffer, sizeof(buffer)).step == Step::kNewSession);
  pair.DestroyClient();
}

}  // namespace tls_client_cert::test
