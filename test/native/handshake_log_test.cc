// What crossed the wire, and what is made of messages that make no sense.
#include "handshake_log.h"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <cstdlib>

namespace tls_client_cert::test {

namespace {

using State = HandshakeLog::Certificate;
using Schemes = std::vector<SignatureScheme>;

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// `body` with its length in `width` bytes in front.
Bytes Vector(size_t width, const Bytes& body) {
  Bytes framed;
  for (size_t i = width; i > 0; i--) {
    framed.push_back(static_cast<uint8_t>(body.size() >> (8 * (i - 1))));
  }
  return framed + body;
}

Bytes Message(uint8_t type, const Bytes& body) {
  return Bytes{type} + Vector(3, body);
}

Bytes Extension(uint8_t type, const Bytes& body) {
  return Bytes{0, type} + Vector(2, body);
}

// TLS 1.3: context, then signature_algorithms and signature_algorithms_cert.
Bytes Request13() {
  const Bytes extensions = Extension(13, Vector(2, {0x04, 0x03})) +
                           Extension(50, Vector(2, {0x04, 0x03, 0x08, 0x04})) +
                           Extension(47, {1, 2, 3});
  return Message(SSL3_MT_CERTIFICATE_REQUEST,
                 Vector(1, {7, 7}) + Vector(2, extensions));
}

Bytes Request12() {
  return Message(SSL3_MT_CERTIFICATE_REQUEST,
                 Vector(1, {1, 64}) + Vector(2, {4, 3}) + Vector(2, {}));
}

Bytes Certificate13(const Bytes& entries) {
  return Message(SSL3_MT_CERTIFICATE, Vector(1, {7, 7}) + Vector(3, entries));
}

Bytes Certificate12(const Bytes& entries) {
  return Message(SSL3_MT_CERTIFICATE, Vector(3, entries));
}

Bytes Verify(const Bytes& scheme) {
  return Message(SSL3_MT_CERTIFICATE_VERIFY, scheme + Vector(2, {1, 2, 3}));
}

void In(HandshakeLog* log, int version, const Bytes& message) {
  log->Record(false, version, SSL3_RT_HANDSHAKE, message);
}

void Out(HandshakeLog* log, int version, const Bytes& message) {
  log->Record(true, version, SSL3_RT_HANDSHAKE, message);
}

// Copied to a block of exactly its size, so that one byte too far is seen.
void Feed(HandshakeLog* log, bool outgoing, int version, int type,
          const uint8_t* data, size_t size) {
  const Bytes exact(data, data + size);
  log->Record(outgoing, version, type, exact);
}

}  // namespace

TEST_CASE("log: a handshake of TLS 1.3, message by message") {
  HandshakeLog log;
  CHECK(log.certificate() == State::kNotRequested);
  In(&log, TLS1_3_VERSION, Request13());
  CHECK(log.certificate() == State::kRequested);
  CHECK(log.certificate_schemes() == Schemes{0x0403, 0x0804});
  CHECK_FALSE(log.signature_scheme());
  Out(&log, TLS1_3_VERSION, Certificate13({1, 2, 3}));
  CHECK(log.certificate() == State::kSent);
  Out(&log, TLS1_3_VERSION, Verify({0x08, 0x04}));
  CHECK(log.signature_scheme() == SignatureScheme{0x0804});
  CHECK_FALSE(log.received_alert());
}

TEST_CASE("log: a handshake of TLS 1.2, message by message") {
  HandshakeLog log;
  In(&log, TLS1_2_VERSION, Request12());
  CHECK(log.certificate() == State::kRequested);
  CHECK(log.certificate_schemes().empty());
  Out(&log, TLS1_2_VERSION, Certificate12({1, 2, 3}));
  CHECK(log.certificate() == State::kSent);
  Out(&log, TLS1_2_VERSION, Verify({0x04, 0x01}));
  CHECK(log.signature_scheme() == SignatureScheme{0x0401});
}

TEST_CASE("log: an empty Certificate is told from one with content") {
  HandshakeLog log;
  Out(&log, TLS1_3_VERSION, Certificate13({}));
  CHECK(log.certificate() == State::kSentEmpty);
  Out(&log, TLS1_3_VERSION, Certificate13({9}));
  CHECK(log.certificate() == State::kSent);
  Out(&log, TLS1_2_VERSION, Certificate12({}));
  CHECK(log.certificate() == State::kSentEmpty);
}

TEST_CASE("log: below TLS 1.2 a CertificateVerify names no scheme") {
  HandshakeLog log;
  Out(&log, TLS1_1_VERSION, Verify({0x08, 0x04}));
  CHECK_FALSE(log.signature_scheme());
}

TEST_CASE("log: the server's own Certificate and Verify are not the client's") {
  HandshakeLog log;
  In(&log, TLS1_3_VERSION, Certificate13({1, 2, 3}));
  In(&log, TLS1_3_VERSION, Verify({0x08, 0x04}));
  Out(&log, TLS1_3_VERSION, Request13());
  CHECK(log.certificate() == State::kNotRequested);
  CHECK_FALSE(log.signature_scheme());
  CHECK(log.certificate_schemes().empty());
}

TEST_CASE("log: a second request starts anew") {
  HandshakeLog log;
  In(&log, TLS1_3_VERSION, Request13());
  Out(&log, TLS1_3_VERSION, Certificate13({1}));
  Out(&log, TLS1_3_VERSION, Verify({0x08, 0x04}));
  In(&log, TLS1_3_VERSION,
     Message(SSL3_MT_CERTIFICATE_REQUEST, Vector(1, {}) + Vector(2, {})));
  CHECK(log.certificate() == State::kRequested);
  CHECK_FALSE(log.signature_scheme());
  CHECK(log.certificate_schemes().empty());
}

TEST_CASE("log: the last alert from the peer, not our own") {
  HandshakeLog log;
  const Bytes alert = {2, 116};
  log.Record(true, TLS1_3_VERSION, SSL3_RT_ALERT, alert);
  CHECK_FALSE(log.received_alert());
  log.Record(false, TLS1_3_VERSION, SSL3_RT_ALERT, Bytes{2});
  log.Record(false, TLS1_3_VERSION, SSL3_RT_ALERT, Bytes{});
  CHECK_FALSE(log.received_alert());
  log.Record(false, TLS1_3_VERSION, SSL3_RT_ALERT, alert);
  CHECK(log.received_alert() == uint8_t{116});
  log.Record(false, TLS1_3_VERSION, SSL3_RT_ALERT, Bytes{1, 0});
  CHECK(log.received_alert() == uint8_t{0});
}

TEST_CASE("log: other content is none of its business") {
  HandshakeLog log;
  const Bytes message = Request13();
  for (const int type : {SSL3_RT_APPLICATION_DATA, SSL3_RT_CHANGE_CIPHER_SPEC,
                         SSL3_RT_HEADER, SSL3_RT_INNER_CONTENT_TYPE, 0, 255}) {
    log.Record(false, TLS1_3_VERSION, type, message);
  }
  CHECK(log.certificate() == State::kNotRequested);
}

TEST_CASE("log: a message cut short anywhere is not believed") {
  for (const int version : {TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const bool outgoing : {false, true}) {
      for (const Bytes& message :
           {Request13(), Request12(), Certificate13({1, 2, 3}),
            Certificate12({1, 2, 3}), Verify({8, 4})}) {
        for (size_t size = 0; size < message.size(); size++) {
          HandshakeLog log;
          Feed(&log, outgoing, version, SSL3_RT_HANDSHAKE, message.data(),
               size);
          CHECK(log.certificate() == State::kNotRequested);
          CHECK_FALSE(log.signature_scheme());
        }
      }
    }
  }
}

TEST_CASE("log: a body cut short under a true length gives what it holds") {
  // The frame is right, what is in it is not.
  const Bytes whole = Request13();
  const Bytes body(whole.begin() + 4, whole.end());
  for (size_t size = 0; size < body.size(); size++) {
    HandshakeLog log;
    const Bytes cut = Message(
        SSL3_MT_CERTIFICATE_REQUEST,
        Bytes(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size)));
    Feed(&log, false, TLS1_3_VERSION, SSL3_RT_HANDSHAKE, cut.data(),
         cut.size());
    CHECK(log.certificate() == State::kRequested);
    // The outer length no longer fits, so nothing of it is read.
    CHECK(log.certificate_schemes().empty());
  }
  for (size_t size = 0; size < 2; size++) {
    HandshakeLog log;
    Out(&log, TLS1_3_VERSION,
        Message(SSL3_MT_CERTIFICATE_VERIFY, Bytes(size, 8)));
    CHECK_FALSE(log.signature_scheme());
  }
}

TEST_CASE("log: odd lengths within signature_algorithms_cert") {
  const auto schemes_of = [](const Bytes& extension) {
    HandshakeLog log;
    const Bytes message =
        Message(SSL3_MT_CERTIFICATE_REQUEST,
                Vector(1, {}) + Vector(2, Extension(50, extension)));
    Feed(&log, false, TLS1_3_VERSION, SSL3_RT_HANDSHAKE, message.data(),
         message.size());
    return log.certificate_schemes();
  };
  CHECK(schemes_of({}).empty());
  CHECK(schemes_of({0}).empty());
  CHECK(schemes_of({0, 0}).empty());
  CHECK(schemes_of({0, 1, 8}).empty());
  CHECK(schemes_of({0, 3, 8, 4, 8}) == Schemes{0x0804});
  CHECK(schemes_of({0, 4, 8, 4}).empty());        // longer than it is
  CHECK(schemes_of({0xff, 0xff, 8, 4}).empty());  // much longer
  CHECK(schemes_of({0, 2, 8, 4, 9, 9}) == Schemes{0x0804});
}

TEST_CASE("log: a length that lies about the message") {
  for (const uint8_t high : {0x00, 0x01, 0x7f, 0xff}) {
    HandshakeLog log;
    Bytes message = Request13();
    message[1] = high;
    message[2] = 0xff;
    Feed(&log, false, TLS1_3_VERSION, SSL3_RT_HANDSHAKE, message.data(),
         message.size());
    CHECK(log.certificate() == State::kNotRequested);
  }
  // Bytes behind the message do not belong to it.
  HandshakeLog log;
  In(&log, TLS1_3_VERSION, Request13() + Bytes(100, 0xff));
  CHECK(log.certificate_schemes() == Schemes{0x0403, 0x0804});
}

TEST_CASE("log: noise of any kind is survived") {
  std::srand(1);
  for (int round = 0; round < 20000; round++) {
    HandshakeLog log;
    Bytes noise = round % 2 == 0 ? Request13() : Certificate13({1, 2, 3});
    const int changes = 1 + std::rand() % 4;
    for (int i = 0; i < changes; i++) {
      noise[static_cast<size_t>(std::rand()) % noise.size()] =
          static_cast<uint8_t>(std::rand());
    }
    Feed(&log, round % 3 == 0, round % 5 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION,
         SSL3_RT_HANDSHAKE, noise.data(), noise.size());
    CHECK(log.certificate_schemes().size() <= noise.size() / 2);
  }
}

}  // namespace tls_client_cert::test
