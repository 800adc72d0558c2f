// What a session says about itself: as whom, and under which trust.
#include "session_mark.h"

#include <openssl/err.h>

#include "pair.h"

namespace tls_client_cert::test {

namespace {

using As = SessionMark::Identity;

const Bytes kX(32, 'x');
const Bytes kY(32, 'y');
const Bytes kTrust(32, 't');

// A session as a server's client has it, in DER.
const Bytes& RealSession() {
  static const Bytes der = [] {
    ServerOptions server = ServerOf(TLS1_2_VERSION);
    server.auth = ClientAuth::kNone;
    server.closes_tickets = false;
    Pair pair(AskingContext(), server);
    REQUIRE(pair.RunPastVerify() == Step::kDone);
    REQUIRE(pair.sessions().size() == 1);
    return pair.sessions()[0];
  }();
  return der;
}

// Read from a session that holds `data` where the mark is.
std::optional<SessionMark> ReadFrom(const Bytes& data) {
  const SslSessionPointer session(SSL_SESSION_new());
  REQUIRE(SSL_SESSION_set1_ticket_appdata(session.get(), data.data(),
                                          data.size()) == 1);
  return ReadSessionMark(session.get());
}

Bytes Written(const SessionMark& mark) {
  const SslSessionPointer session(SSL_SESSION_new());
  REQUIRE(WriteSessionMark(session.get(), mark));
  void* data = nullptr;
  size_t size = 0;
  REQUIRE(SSL_SESSION_get0_ticket_appdata(session.get(), &data, &size) == 1);
  const uint8_t* first = static_cast<const uint8_t*>(data);
  return Bytes(first, first + size);
}

std::vector<SessionMark> Marks() {
  return {{As::kUnasked, {}, kTrust},
          {As::kDeclined, {}, kTrust},
          {As::kOne, kX, kTrust},
          {As::kSeveral, {}, kTrust},
          {As::kOneLater, kX, kTrust}};
}

}  // namespace

TEST_CASE("session mark: what a server was shown, one after the other") {
  SessionMark mark;
  CHECK(mark.identity == As::kUnasked);
  mark.Declined();
  CHECK(mark.identity == As::kDeclined);
  mark.Declined();
  CHECK(mark.identity == As::kDeclined);
  mark.Shown(kX);
  CHECK(mark.identity == As::kOne);
  CHECK(mark.certificate == kX);
  mark.Shown(kX);
  CHECK(mark.identity == As::kOne);
  CHECK(mark.certificate == kX);
  mark.Shown(kY);
  CHECK(mark.identity == As::kSeveral);
  // And from there is no way back.
  mark.Shown(kX);
  CHECK(mark.identity == As::kSeveral);
  mark.Declined();
  CHECK(mark.identity == As::kSeveral);

  mark.NotShownAgain();
  CHECK(mark.identity == As::kSeveral);

  SessionMark direct;
  direct.NotShownAgain();
  CHECK(direct.identity == As::kUnasked);
  direct.Shown(kY);
  CHECK(direct.identity == As::kOne);
  CHECK(direct.certificate == kY);
}

TEST_CASE("session mark: shown one, and then none, it is nobody's") {
  for (const bool asked : {true, false}) {
    SessionMark mark;
    mark.Shown(kX);
    if (asked) {
      mark.Declined();
    } else {
      mark.NotShownAgain();
    }
    CHECK(mark.identity == As::kSeveral);
    mark.Shown(kX);
    CHECK(mark.identity == As::kSeveral);
  }
}

TEST_CASE("session mark: shown after the handshake") {
  for (const bool declined : {false, true}) {
    SessionMark mark;
    if (declined) mark.Declined();
    mark.Shown(kX, true);
    CHECK(mark.identity == As::kOneLater);
    CHECK(mark.certificate == kX);
    mark.Shown(kX, true);
    CHECK(mark.identity == As::kOneLater);
    SessionMark other = mark;
    other.Shown(kY, true);
    CHECK(other.identity == As::kSeveral);
    mark.Declined();
    CHECK(mark.identity == As::kSeveral);
  }
  // Of whom it knew in the handshake it is nothing new.
  SessionMark mark;
  mark.Shown(kX);
  mark.Shown(kX, true);
  CHECK(mark.identity == As::kOne);
}

TEST_CASE("session mark: goes with the session, and with its DER form") {
  for (const SessionMark& mark : Marks()) {
    CAPTURE(static_cast<int>(mark.identity));
    const SslSessionPointer session = ParseSession(RealSession());
    REQUIRE(session);
    REQUIRE(WriteSessionMark(session.get(), mark));
    const Bytes der = Plain(SerializeSession(session.get()));
    const SslSessionPointer copy = ParseSession(der);
    REQUIRE(copy);
    for (SSL_SESSION* bearer : {session.get(), copy.get()}) {
      const auto read = ReadSessionMark(bearer);
      REQUIRE(read);
      CHECK(read->identity == mark.identity);
      CHECK(read->trust == mark.trust);
      CHECK(read->certificate == mark.certificate);
    }
    CHECK(Plain(SerializeSession(copy.get())) == der);
  }
}

TEST_CASE("session mark: the later one replaces the earlier") {
  const SslSessionPointer session(SSL_SESSION_new());
  for (const SessionMark& mark : Marks()) {
    REQUIRE(WriteSessionMark(session.get(), mark));
    const auto read = ReadSessionMark(session.get());
    REQUIRE(read);
    CHECK(read->identity == mark.identity);
    CHECK(read->certificate == mark.certificate);
  }
}

TEST_CASE("session mark: none without a whole digest") {
  const SslSessionPointer session(SSL_SESSION_new());
  for (const size_t size : {0, 31, 33}) {
    CAPTURE(size);
    CHECK_FALSE(
        WriteSessionMark(session.get(), {As::kUnasked, {}, Bytes(size, 't')}));
    CHECK_FALSE(
        WriteSessionMark(session.get(), {As::kOne, Bytes(size, 'x'), kTrust}));
  }
  CHECK_FALSE(ReadSessionMark(session.get()));
}

TEST_CASE("session mark: what is not one is not read as one") {
  CHECK_FALSE(ReadSessionMark(SslSessionPointer(SSL_SESSION_new()).get()));
  CHECK_FALSE(ReadFrom({}));
  CHECK_FALSE(
      ReadFrom(Text("somebody else's data, which is long enough for us")));
  for (const SessionMark& mark : Marks()) {
    const Bytes whole = Written(mark);
    CAPTURE(static_cast<int>(mark.identity));
    CHECK(ReadFrom(whole));
    for (size_t size = 0; size < whole.size(); size++) {
      CAPTURE(size);
      CHECK_FALSE(ReadFrom(
          Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size))));
    }
    Bytes longer = whole;
    longer.push_back('x');
    CHECK_FALSE(ReadFrom(longer));
    // The magic, and identities that do not exist.
    for (size_t i = 0; i < 4; i++) {
      Bytes other = whole;
      other[i] ^= 1;
      CHECK_FALSE(ReadFrom(other));
    }
    for (const uint8_t identity : {5, 6, 128, 255}) {
      Bytes other = whole;
      other[4] = identity;
      CHECK_FALSE(ReadFrom(other));
    }
    // One identity's mark does not pass as another's of a different size.
    Bytes other = whole;
    other[4] =
        static_cast<uint8_t>(mark.has_certificate() ? As::kSeveral : As::kOne);
    CHECK_FALSE(ReadFrom(other));
  }
}

TEST_CASE("session mark: DER that is none, or cut, or changed") {
  CHECK_FALSE(ParseSession(BytesView()));
  CHECK_FALSE(ParseSession(Text("not DER")));
  CHECK_FALSE(ParseSession(Bytes(1000, 0xff)));
  const Bytes& der = RealSession();
  for (size_t size = 0; size < der.size(); size++) {
    CAPTURE(size);
    // Of exactly this size, so that one byte too far is seen.
    const Bytes cut(der.begin(), der.begin() + static_cast<ptrdiff_t>(size));
    CHECK_FALSE(ParseSession(cut));
  }
  for (size_t i = 0; i < der.size(); i++) {
    Bytes changed = der;
    changed[i] ^= 0x55;
    const SslSessionPointer session = ParseSession(changed);
    if (session) (void)ReadSessionMark(session.get());
  }
  ERR_clear_error();
}

TEST_CASE("session mark: a session without a cipher has no DER form") {
  CHECK(SerializeSession(SslSessionPointer(SSL_SESSION_new()).get()).empty());
  ERR_clear_error();
}

}  // namespace tls_client_cert::test
