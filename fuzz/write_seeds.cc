// Writes the seeds of all targets, into one folder each.
#include "seeds/seeds.h"
#include "world.h"

int main(int argc, char** argv) {
  using tls_client_cert::fuzz::TheWorld;
  REQUIRE(argc == 2);
  TheWorld();
  const std::filesystem::path out = argv[1];
  tls_client_cert::fuzz::WriteHandshakes({out, "handshake"});
  tls_client_cert::fuzz::WriteCredentials({out, "credential"});
  tls_client_cert::fuzz::WriteRequests({out, "request"});
  tls_client_cert::fuzz::WriteExternalKeys({out, "external-key"});
  return 0;
}
