#include "connection_wrap.h"

#include <utility>

#include "connection_facts.h"
#include "context_wrap.h"
#include "convert.h"
#include "credential_wrap.h"
#include "socket_transport_wrap.h"

namespace tls_client_cert {

namespace {

// About what an SSL in its handshake holds: it tells V8 how much a forgotten
// connection weighs beyond its small JavaScript object.
constexpr int64_t kExternalBytes = 48 * 1024;

// A step crosses as its number; lib/binding.ts has the same list.
Napi::Value FromStep(Napi::Env env, Step step) {
  return Napi::Number::New(env, static_cast<int>(step));
}

// Bits beside a count of bytes; lib/binding.ts has them, too. No count reaches
// them.
constexpr int32_t kExhausted = 1 << 30;
constexpr int32_t kOutput = 1 << 29;
constexpr size_t kMostAtOnce = kOutput - 1;

// A count of bytes, or the step that stood in the way as a negative number.
Napi::Value FromTransfer(Napi::Env env, const Transfer& transfer, bool output) {
  if (transfer.step != Step::kDone) {
    return Napi::Number::New(env, -static_cast<int32_t>(transfer.step));
  }
  int32_t number = static_cast<int32_t>(transfer.size);
  if (transfer.exhausted) number |= kExhausted;
  if (output) number |= kOutput;
  return Napi::Number::New(env, number);
}

size_t AtMost(size_t size) { return size < kMostAtOnce ? size : kMostAtOnce; }

const char* PhaseName(RequestPhase phase) {
  switch (phase) {
    case RequestPhase::kHandshake:
      return "handshake";
    case RequestPhase::kRenegotiation:
      return "renegotiation";
    case RequestPhase::kPostHandshake:
      return "post-handshake";
  }
  return "handshake";
}

const char* CertificateName(HandshakeLog::Certificate certificate) {
  switch (certificate) {
    case HandshakeLog::Certificate::kNotRequested:
      return "not-requested";
    case HandshakeLog::Certificate::kRequested:
      return "requested";
    case HandshakeLog::Certificate::kSentEmpty:
      return "sent-empty";
    case HandshakeLog::Certificate::kSent:
      return "sent";
  }
  return "not-requested";
}

template <typename Number>
Napi::Array FromNumbers(Napi::Env env, const std::vector<Number>& numbers) {
  Napi::Array array = Napi::Array::New(env, numbers.size());
  for (uint32_t i = 0; i < numbers.size(); i++) array.Set(i, numbers[i]);
  return array;
}

ConnectionOptions ReadOptions(Napi::Env env, const Napi::Object& from) {
  ConnectionOptions to;
  to.server_name = ToOptionalString(from.Get("serverName")).value_or("");
  const BytesView alpn = ToBytes(from.Get("alpnProtocols"));
  to.alpn_protocols.assign(alpn.data, alpn.data + alpn.size);
  to.asks_for_client_cert = ToBool(from.Get("asks"));
  to.post_handshake_auth = ToBool(from.Get("postHandshakeAuth"));
  to.reselects = ToBool(from.Get("reselects"));
  to.requires_client_cert = ToBool(from.Get("requiresClientCert"));
  to.requests_ocsp = ToBool(from.Get("requestsOcsp"));
  to.min_dh_bits = ToInt(from.Get("minDHSize"));
  to.has_shared_keys = ToBool(from.Get("hasSharedKeys"));
  to.renegotiation_limit.count = ToInt(from.Get("renegotiationLimit"));
  to.renegotiation_limit.window =
      std::chrono::seconds(ToInt(from.Get("renegotiationWindow")));
  const Napi::Value session = from.Get("session");
  if (!session.IsUndefined()) {
    const BytesView der = ToBytes(session);
    to.session.assign(der.data, der.data + der.size);
    const Napi::Value as = from.Get("sessionCredential");
    to.session_declined = as.IsNull();
    if (as.IsObject()) {
      to.session_credential = CredentialWrap::From(env, as)->get();
    }
  }
  const Napi::Value credentials = from.Get("credentials");
  if (!credentials.IsArray()) return to;
  const auto list = credentials.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    to.credentials.push_back(CredentialWrap::From(env, list.Get(i))->get());
  }
  return to;
}

}  // namespace

Napi::Function ConnectionWrap::Define(Napi::Env env) {
  using Self = ConnectionWrap;
  return DefineClass(
      env, kName,
      {
          ExposeAlive<&Self::Receive>("receive"),
          ExposeAlive<&Self::ReceiveEnd>("receiveEnd"),
          ExposeAlive<&Self::Unread>("unread"),
          ExposeAlive<&Self::ClosedByPeer>("closedByPeer"),
          ExposeAlive<&Self::Drain>("drain"),
          ExposeAlive<&Self::SetUnsentAnswers>("setUnsentAnswers"),
          ExposeAlive<&Self::Handshake>("handshake"),
          ExposeAlive<&Self::Read>("read"),
          ExposeAlive<&Self::Write>("write"),
          ExposeAlive<&Self::Shutdown>("shutdown"),
          ExposeAlive<&Self::Renegotiate>("renegotiate"),
          ExposeAlive<&Self::DisableRenegotiation>("disableRenegotiation"),
          ExposeAlive<&Self::ServerChainError>("serverChainError"),
          ExposeAlive<&Self::AcceptServer>("acceptServer"),
          ExposeAlive<&Self::RefuseServer>("refuseServer"),
          ExposeAlive<&Self::Request>("request"),
          ExposeAlive<&Self::WhyNotSent>("whyNotSent"),
          ExposeAlive<&Self::Answer>("answer"),
          ExposeAlive<&Self::Decline>("decline"),
          ExposeAlive<&Self::AskAgain>("askAgain"),
          ExposeAlive<&Self::SignatureWanted>("signatureRequest"),
          ExposeAlive<&Self::Sign>("sign"),
          ExposeAlive<&Self::OcspResponse>("ocspResponse"),
          ExposeAlive<&Self::SharedKeyWanted>("sharedKeyRequest"),
          ExposeAlive<&Self::AnswerSharedKey>("answerSharedKey"),
          ExposeAlive<&Self::BySharedKey>("bySharedKey"),
          ExposeAlive<&Self::LogKeys>("logKeys"),
          ExposeAlive<&Self::TakeKeyLines>("takeKeyLines"),
          ExposeAlive<&Self::Trace>("trace"),
          ExposeAlive<&Self::TakeTrace>("takeTrace"),
          ExposeAlive<&Self::SetMaxSendFragment>("setMaxSendFragment"),
          ExposeAlive<&Self::Abandon>("abandon"),
          ExposeAlive<&Self::TakeSession>("takeSession"),
          ExposeAlive<&Self::Session>("session"),
          ExposeAlive<&Self::SessionReused>("sessionReused"),
          ExposeAlive<&Self::GetFailure>("failure"),
          ExposeAlive<&Self::ClientAuth>("clientAuth"),
          ExposeAlive<&Self::Protocol>("protocol"),
          ExposeAlive<&Self::Cipher>("cipher"),
          ExposeAlive<&Self::AlpnProtocol>("alpnProtocol"),
          ExposeAlive<&Self::EphemeralKeyInfo>("ephemeralKey"),
          ExposeAlive<&Self::SharedAlgorithms>("sharedSignatureAlgorithms"),
          ExposeAlive<&Self::Finished>("finished"),
          ExposeAlive<&Self::Ticket>("ticket"),
          ExposeAlive<&Self::KeyingMaterial>("exportKeyingMaterial"),
          ExposeAlive<&Self::PeerCertificates>("peerCertificates"),
          ExposeAlive<&Self::VerifiedCertificates>("verifiedCertificates"),
          Expose<&Self::Destroy>("destroy"),
      });
}

ConnectionWrap::ConnectionWrap(const Napi::CallbackInfo& info) : Wrap(info) {
  const Napi::Env env = info.Env();
  const ContextWrap* context = ContextWrap::From(env, info[0]);
  auto made =
      Connection::Create(context->get(), ReadOptions(env, info[1].ToObject()));
  if (!made.ok()) Throw(env, made.failure());
  connection_ = std::move(made.value());
  Napi::MemoryManagement::AdjustExternalMemory(env, kExternalBytes);
}

ConnectionWrap::~ConnectionWrap() { Release(Env()); }

template <Napi::Value (ConnectionWrap::*Method)(const Napi::CallbackInfo&)>
Napi::Value ConnectionWrap::IfAlive(const Napi::CallbackInfo& info) {
  if (connection_ == nullptr) {
    throw Napi::Error::New(info.Env(), "the native connection was destroyed");
  }
  return (this->*Method)(info);
}

Napi::Value ConnectionWrap::Receive(const Napi::CallbackInfo& info) {
  connection_->Receive(ToBytes(info[0]));
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::ReceiveEnd(const Napi::CallbackInfo& info) {
  connection_->ReceiveEnd();
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::Unread(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(),
                           static_cast<double>(connection_->unread()));
}

Napi::Value ConnectionWrap::ClosedByPeer(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), connection_->closed_by_peer());
}

Napi::Value ConnectionWrap::Drain(const Napi::CallbackInfo& info) {
  ByteQueue& outgoing = connection_->outgoing();
  if (outgoing.empty()) return info.Env().Undefined();
  const Napi::Value bytes =
      FromBytes(info.Env(), BytesView(outgoing.data(), outgoing.size()));
  outgoing.Clear();
  connection_->set_unsent_answers(0);
  return bytes;
}

Napi::Value ConnectionWrap::SetUnsentAnswers(const Napi::CallbackInfo& info) {
  const int size = ToInt(info[0]);
  connection_->set_unsent_answers(size < 0 ? 0 : static_cast<size_t>(size));
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::Handshake(const Napi::CallbackInfo& info) {
  return FromStep(info.Env(), socket_ != nullptr ? socket_->Handshake()
                                                 : connection_->Handshake());
}

Napi::Value ConnectionWrap::Read(const Napi::CallbackInfo& info) {
  const BytesView out = ToBytes(info[0]);
  // The array is JavaScript's to write to; only the view of it is const.
  auto* room = const_cast<uint8_t*>(out.data);
  const size_t size = AtMost(out.size);
  Transfer read = socket_ != nullptr ? socket_->Read(room, size)
                                     : connection_->Read(room, size);
  // Told of with the next call that moves nothing, so there has to be one.
  if (connection_->has_written_down()) read.exhausted = false;
  return FromTransfer(info.Env(), read, !connection_->outgoing().empty());
}

Napi::Value ConnectionWrap::Write(const Napi::CallbackInfo& info) {
  BytesView plaintext = ToBytes(info[0]);
  plaintext.size = AtMost(plaintext.size);
  const Transfer written = socket_ != nullptr ? socket_->Write(plaintext)
                                              : connection_->Write(plaintext);
  const bool output = socket_ != nullptr ? socket_->has_output()
                                         : !connection_->outgoing().empty();
  return FromTransfer(info.Env(), written, output);
}

Napi::Value ConnectionWrap::Shutdown(const Napi::CallbackInfo& info) {
  return FromStep(info.Env(), connection_->Shutdown());
}

Napi::Value ConnectionWrap::Renegotiate(const Napi::CallbackInfo& info) {
  const auto failure = connection_->Renegotiate();
  if (!failure) return info.Env().Null();
  return FromFailure(info.Env(), *failure);
}

Napi::Value ConnectionWrap::DisableRenegotiation(
    const Napi::CallbackInfo& info) {
  connection_->DisableRenegotiation();
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::ServerChainError(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int error = connection_->server_chain_error();
  if (error == X509_V_OK) return env.Null();
  Napi::Object record = Napi::Object::New(env);
  record.Set("number", error);
  record.Set("code", VerifyErrorName(error));
  record.Set("message", X509_verify_cert_error_string(error));
  return record;
}

Napi::Value ConnectionWrap::AcceptServer(const Napi::CallbackInfo& info) {
  connection_->AcceptServer();
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::RefuseServer(const Napi::CallbackInfo& info) {
  connection_->RefuseServer(ToInt(info[0]));
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::Request(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CertificateRequest request = connection_->request();
  Napi::Object record = Napi::Object::New(env);
  record.Set("phase", PhaseName(request.phase));
  Napi::Array authorities = Napi::Array::New(env, request.authorities.size());
  for (uint32_t i = 0; i < request.authorities.size(); i++) {
    authorities.Set(i, FromBytes(env, request.authorities[i]));
  }
  record.Set("authorities", authorities);
  record.Set("signatureSchemes", FromNumbers(env, request.signature_schemes));
  record.Set("certificateTypes", FromNumbers(env, request.certificate_types));
  record.Set("attempt", connection_->attempt());
  return record;
}

Napi::Value ConnectionWrap::WhyNotSent(const Napi::CallbackInfo& info) {
  const CredentialWrap* credential = CredentialWrap::From(info.Env(), info[0]);
  const auto failure = connection_->WhyNotSent(*credential->get());
  if (!failure) return info.Env().Null();
  return FromFailure(info.Env(), *failure);
}

Napi::Value ConnectionWrap::Answer(const Napi::CallbackInfo& info) {
  const CredentialWrap* credential = CredentialWrap::From(info.Env(), info[0]);
  connection_->Answer(credential->get());
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::Decline(const Napi::CallbackInfo& info) {
  connection_->Decline();
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::AskAgain(const Napi::CallbackInfo& info) {
  connection_->AskAgain();
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::SignatureWanted(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const SignatureRequest request = connection_->signature_request();
  Napi::Object record = Napi::Object::New(env);
  record.Set("scheme", request.scheme);
  record.Set("data", FromBytes(env, request.data));
  return record;
}

Napi::Value ConnectionWrap::Sign(const Napi::CallbackInfo& info) {
  const auto failure = connection_->Sign(ToBytes(info[0]));
  if (!failure) return info.Env().Null();
  return FromFailure(info.Env(), *failure);
}

Napi::Value ConnectionWrap::OcspResponse(const Napi::CallbackInfo& info) {
  const BytesView response = connection_->TakeOcspResponse();
  if (response.size == 0) return info.Env().Null();
  return FromBytes(info.Env(), response);
}

void ConnectionWrap::CheckSharedKeyWanted(Napi::Env env) const {
  if (connection_->wants_shared_key()) return;
  throw Napi::Error::New(env, "no shared key is asked for");
}

Napi::Value ConnectionWrap::SharedKeyWanted(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  CheckSharedKeyWanted(env);
  const SharedKey& wanted = connection_->shared_key();
  Napi::Object record = Napi::Object::New(env);
  record.Set("hint", wanted.hint()
                         ? Napi::Value(Napi::String::New(env, *wanted.hint()))
                         : env.Null());
  record.Set("maxIdentity", static_cast<double>(wanted.max_identity()));
  record.Set("maxKey", static_cast<double>(wanted.max_key()));
  return record;
}

Napi::Value ConnectionWrap::AnswerSharedKey(const Napi::CallbackInfo& info) {
  CheckSharedKeyWanted(info.Env());
  const auto identity = ToOptionalString(info[0]);
  if (identity) {
    connection_->shared_key().Answer(*identity, ToBytes(info[1]));
  } else {
    connection_->shared_key().Refuse();
  }
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::BySharedKey(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), connection_->by_shared_key());
}

Napi::Value ConnectionWrap::LogKeys(const Napi::CallbackInfo& info) {
  connection_->LogKeys(ToBool(info[0]));
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::TakeKeyLines(const Napi::CallbackInfo& info) {
  return FromKeyLines(info.Env(), connection_->journal());
}

Napi::Value ConnectionWrap::Trace(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), connection_->Trace());
}

Napi::Value ConnectionWrap::TakeTrace(const Napi::CallbackInfo& info) {
  Journal* journal = connection_->journal();
  return FromBytes(info.Env(),
                   journal == nullptr ? Bytes() : journal->TakeTrace());
}

Napi::Value ConnectionWrap::SetMaxSendFragment(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(),
                            connection_->SetMaxSendFragment(ToInt(info[0])));
}

Napi::Value ConnectionWrap::Abandon(const Napi::CallbackInfo& info) {
  connection_->Abandon();
  return info.Env().Undefined();
}

Napi::Value ConnectionWrap::TakeSession(const Napi::CallbackInfo& info) {
  return FromBytes(info.Env(), connection_->TakeSession(ToBool(info[0])));
}

Napi::Value ConnectionWrap::Session(const Napi::CallbackInfo& info) {
  return FromBytes(info.Env(), connection_->session());
}

Napi::Value ConnectionWrap::SessionReused(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), connection_->session_reused());
}

Napi::Value ConnectionWrap::GetFailure(const Napi::CallbackInfo& info) {
  const auto& failure = connection_->failure();
  if (!failure) return info.Env().Null();
  Napi::Object record = FromFailure(info.Env(), *failure);
  const auto alert = connection_->log().received_alert();
  if (alert) record.Set("alert", *alert);
  return record;
}

Napi::Value ConnectionWrap::ClientAuth(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto scheme = connection_->log().signature_scheme();
  Napi::Object record = Napi::Object::New(env);
  record.Set("certificate", CertificateName(connection_->certificate()));
  record.Set("scheme", scheme ? Napi::Value(Napi::Number::New(env, *scheme))
                              : env.Null());
  record.Set("staticCredential", connection_->static_credential());
  record.Set("resumed", connection_->resumed());
  record.Set("resumedAsSomebody", connection_->resumed_as_somebody());
  return record;
}

Napi::Value ConnectionWrap::Protocol(const Napi::CallbackInfo& info) {
  return FromChars(info.Env(), connection_->protocol());
}

Napi::Value ConnectionWrap::Cipher(const Napi::CallbackInfo& info) {
  return FromCipher(info.Env(), connection_->cipher());
}

Napi::Value ConnectionWrap::AlpnProtocol(const Napi::CallbackInfo& info) {
  const BytesView protocol = connection_->alpn_protocol();
  return Napi::String::New(info.Env(), protocol.chars(), protocol.size);
}

Napi::Value ConnectionWrap::EphemeralKeyInfo(const Napi::CallbackInfo& info) {
  return FromEphemeralKey(info.Env(), *connection_);
}

Napi::Value ConnectionWrap::SharedAlgorithms(const Napi::CallbackInfo& info) {
  return FromSharedAlgorithms(info.Env(), *connection_);
}

Napi::Value ConnectionWrap::Finished(const Napi::CallbackInfo& info) {
  return FromFinished(info.Env(), *connection_, ToBool(info[0]));
}

Napi::Value ConnectionWrap::Ticket(const Napi::CallbackInfo& info) {
  return FromTicket(info.Env(), *connection_);
}

Napi::Value ConnectionWrap::KeyingMaterial(const Napi::CallbackInfo& info) {
  return FromKeyingMaterial(info, *connection_);
}

Napi::Value ConnectionWrap::PeerCertificates(const Napi::CallbackInfo& info) {
  // A resumed session brings no chain, only the leaf.
  const STACK_OF(X509)* chain = connection_->peer_chain();
  return FromCertificates(
      info.Env(), chain == nullptr ? connection_->peer_certificate() : nullptr,
      chain);
}

Napi::Value ConnectionWrap::VerifiedCertificates(
    const Napi::CallbackInfo& info) {
  return FromCertificates(info.Env(), nullptr, connection_->verified_chain());
}

Napi::Value ConnectionWrap::Destroy(const Napi::CallbackInfo& info) {
  Release(info.Env());
  return info.Env().Undefined();
}

void ConnectionWrap::Release(Napi::Env env) {
  if (connection_ == nullptr) return;
  if (socket_ != nullptr) socket_->Detach();
  connection_.reset();
  // Not through Napi::MemoryManagement, which may throw: this runs in the
  // destructor as well, and nobody needs the new total.
  int64_t total = 0;
  napi_adjust_external_memory(env, -kExternalBytes, &total);
}

}  // namespace tls_client_cert
