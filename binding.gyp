{
  "variables": {
    # CI sets it: GYP_DEFINES=tcc_werror=1
    "tcc_werror%": 0,
  },
  "target_defaults": {
    "cflags_cc": ["-std=c++17", "-fvisibility=hidden", "-Wall", "-Wextra"],
    # OpenSSL comes from Node's own binary: nothing is linked.
    "defines": ["OPENSSL_API_COMPAT=30000", "OPENSSL_NO_DEPRECATED"],
    "conditions": [
      ["tcc_werror==1", {"cflags_cc": ["-Werror"]}],
      [
        "OS=='mac'",
        {
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
          }
        },
      ],
    ],
  },
  "targets": [
    {
      # Without C++ exceptions, which could not cross OpenSSL's frames.
      "target_name": "tls_machine",
      "type": "static_library",
      "sources": [
        "native/openssl/certificate_reader.cc",
        "native/openssl/certificate_request.cc",
        "native/openssl/client_cert.cc",
        "native/openssl/connection.cc",
        "native/openssl/connection_callbacks.cc",
        "native/openssl/connection_state.cc",
        "native/openssl/context.cc",
        "native/openssl/credential.cc",
        "native/openssl/digest.cc",
        "native/openssl/distinguished_name.cc",
        "native/openssl/error_stack.cc",
        "native/openssl/external_key.cc",
        "native/openssl/failure.cc",
        "native/openssl/handshake_log.cc",
        "native/openssl/journal.cc",
        "native/openssl/key_reader.cc",
        "native/openssl/passphrase.cc",
        "native/openssl/provider_library.cc",
        "native/openssl/renegotiation_policy.cc",
        "native/openssl/resumption.cc",
        "native/openssl/server_verification.cc",
        "native/openssl/session_facts.cc",
        "native/openssl/session_mark.cc",
        "native/openssl/shared_key.cc",
        "native/openssl/signature_scheme.cc",
        "native/openssl/store.cc",
        "native/openssl/store_key.cc",
        "native/openssl/trust_store.cc",
      ],
    },
    {
      "target_name": "tls_client_cert",
      "dependencies": ["tls_machine"],
      "sources": [
        "native/addon.cc",
        "native/binding/connection_facts.cc",
        "native/binding/connection_wrap.cc",
        "native/binding/context_wrap.cc",
        "native/binding/convert.cc",
        "native/binding/credential_wrap.cc",
        "native/binding/poll_handles.cc",
        "native/binding/socket_transport_wrap.cc",
        "native/binding/store_wrap.cc",
        "native/binding/trust_store_wrap.cc",
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      # With C++ exceptions: when a worker is terminated every Node-API call
      # fails, and the first failure has to end the call of ours.
      "cflags_cc!": ["-fno-exceptions"],
      "cflags_cc": ["-fexceptions"],
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_CPP_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        # What cannot be thrown any more must not abort the whole process.
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      ],
      "conditions": [
        # OpenSSL and the process-wide tables of ours outlive the last worker
        # thread that loaded us, so the code must never be unloaded.
        ["OS=='linux'", {"ldflags": ["-Wl,-z,nodelete"]}],
        ["OS=='mac'", {"xcode_settings": {"GCC_ENABLE_CPP_EXCEPTIONS": "YES"}}],
      ],
    },
  ],
}
