// Rows of the profile and [server]: keys, bounds and sentences. Defaults are those of settings.h.
#include <array>

#include "config/row_makers.h"
#include "config/table.h"

namespace mainstay::config {
namespace {

using S = Settings;
constexpr auto kServer = &S::server;
using Server = ServerSettings;
constexpr auto kWebSocket = &Server::websocket;
using Web = WebSocketSettings;

constexpr std::array kRows = {
    choice<&S::profile>("profile", "auto|sbc|nas|desktop|server|cluster",
                        "Set of defaults that fits a kind of machine; auto looks at the machine.",
                        kLive),

    text<kServer, &Server::listen>(
        "server.listen", Form::host_port,
        "Address to listen on, HOST:PORT; port 0 takes a free one and prints it.", {1, 300}),
    text<kServer, &Server::health_listen>(
        "server.health_listen", Form::host_port,
        "Further address HOST:PORT that answers health alone; empty: none.", {0, 300}),
    text<kServer, &Server::tls_certificate>(
        "server.tls_certificate", Form::any,
        "PEM file with the certificate chain; with tls_key it turns TLS on."),
    text<kServer, &Server::tls_key>("server.tls_key", Form::any,
                                    "PEM file with the certificate's private key."),
    text<kServer, &Server::admin_listen>(
        "server.admin_listen", Form::host_port,
        "Address HOST:PORT for /admin alone, which then is gone from server.listen; empty: none.",
        {0, 300}),
    row<kServer, &Server::threads>("server.threads", {0, 256},
                                   "Event loops, each on its own thread; 0: one for each core."),
    row<kServer, &Server::connections_max>("server.connections_max", kCount,
                                           "Client connections open at once; more are refused."),
    row<kServer, &Server::header_max>("server.header_max", {kKiB, kMiB},
                                      "Request line and header fields of one request."),
    row<kServer, &Server::headers_max>("server.headers_max", {8, 1000},
                                       "Number of header fields of one request."),
    row<kServer, &Server::body_max>("server.body_max", {kKiB, 4 * kGiB},
                                    "Body of one request, on the wire and decoded."),
    row<kServer, &Server::header_timeout>(
        "server.header_timeout", kTimeout,
        "Time to receive a request's head once its first byte is there."),
    row<kServer, &Server::body_timeout>("server.body_timeout", kTimeout,
                                        "Time to receive a request's body."),
    row<kServer, &Server::body_rate_min>(
        "server.body_rate_min", {0, kGiB},
        "Bytes a second that a client must send of a body; slower ones are cut off. 0: any."),
    row<kServer, &Server::body_rate_window>(
        "server.body_rate_window", kTimeout,
        "Time over which a body's rate is taken: body_rate_min holds in each such window."),
    row<kServer, &Server::idle_timeout>(
        "server.idle_timeout", kTimeout,
        "Time that a kept connection may be silent between requests."),
    row<kServer, &Server::write_timeout>("server.write_timeout", kTimeout,
                                         "Time that one write to a client may make no progress."),
    row<kServer, &Server::stream_ping_interval>(
        "server.stream_ping_interval", {10, kHour},
        "Silence of a stream after which a comment is sent to keep it open."),
    row<kServer, &Server::request_timeout>(
        "server.request_timeout", kTimeout,
        "Time for one request from its head to the last byte of its reply.", kLive),
    row<kServer, &Server::stop_timeout>(
        "server.stop_timeout", {0, kHour},
        "Time that running requests get to finish when the program stops."),
    row<kServer, &Server::allowed_hosts>(
        "server.allowed_hosts", {0, 1000},
        "Further Host names that are accepted; loopback names always are.", kLive),
    row<kServer, &Server::cors_origins>(
        "server.cors_origins", {0, 100},
        "Origins whose web pages may call, each exactly as a browser sends it: "
        "https://app.example."),
    row<kServer, kWebSocket, &Web::message_max>("server.websocket.message_max", {kKiB, kGiB},
                                                "One message of a WebSocket's client."),
    row<kServer, kWebSocket, &Web::outbound_max>(
        "server.websocket.outbound_max", {kKiB, kGiB},
        "Bytes kept for a WebSocket's client that reads too slowly; above, it is closed."),
    row<kServer, kWebSocket, &Web::outbound_messages>(
        "server.websocket.outbound_messages", kCount,
        "Messages kept for a WebSocket's client that reads too slowly; above, it is closed."),
    row<kServer, kWebSocket, &Web::message_rate>(
        "server.websocket.message_rate", kCount,
        "Frames a second that a WebSocket's client may send, taken over 10 seconds."),
    row<kServer, kWebSocket, &Web::per_user>(
        "server.websocket.per_user", kAtOnce,
        "WebSockets of one user open at once; 0: no limit beside connections_max."),
    row<kServer, kWebSocket, &Web::pongs_missed>(
        "server.websocket.pongs_missed", {1, 100},
        "Pings that a WebSocket's client may leave unanswered before it counts as gone."),
    row<kServer, kWebSocket, &Web::ping>("server.websocket.ping", {10, kHour},
                                         "Time between two pings to a WebSocket's client."),
    row<kServer, kWebSocket, &Web::idle_timeout>(
        "server.websocket.idle_timeout", kTimeout,
        "Time without a message either way after which a WebSocket is closed."),
    row<kServer, kWebSocket, &Web::close_timeout>(
        "server.websocket.close_timeout", kTimeout,
        "Time that a WebSocket's goodbye may take to get out."),
    row<kServer, kWebSocket, &Web::auth_timeout>(
        "server.websocket.auth_timeout", kTimeout,
        "Time until a WebSocket's first message has said whose it is."),
    row<kServer, kWebSocket, &Web::recheck>(
        "server.websocket.recheck", kTimeout,
        "Time between two looks whether a WebSocket's key or token still holds."),
};

}  // namespace

std::span<const Row> server_rows() {
  return kRows;
}

}  // namespace mainstay::config
