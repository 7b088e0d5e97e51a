// An HTTP server with bounds on everything that a client can make it hold: bytes of a body, connections, connections
// that wait. It answers what is being asked when it is told to stop.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <httplib.h>
#include <sys/socket.h>

#include "connections.hpp"

/// An answer other than the one that was asked for: a status and a sentence.
class HttpError : public std::runtime_error {
public:
    HttpError(int status, const std::string& sentence) : std::runtime_error(sentence), status_(status) {}
    int status() const { return status_; }

private:
    int status_;
};

struct Reply {
    std::string body;
    std::string type = "application/json";
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers = {};
};

class HttpServer {
public:
    using Get = std::function<Reply(const httplib::Request&)>;
    using Post = std::function<Reply(const httplib::Request&, const std::string& body)>;
    /// Is told the path (`other` where there is none), status and seconds of each answer.
    using Observe = std::function<void(const std::string& path, int status, double seconds)>;

    HttpServer(HttpLimits limits, Observe observe) : limits_(limits), observe_(std::move(observe)) {
        server_.new_task_queue = [this] {
            return std::make_unique<http::Connections>(limits_, stopping_, open_, to_answer_).release();
        };
        server_.set_payload_max_length(limits_.body_bytes);
        server_.set_keep_alive_max_count(10'000);
        server_.set_keep_alive_timeout(static_cast<time_t>(limits_.idle.count()));
        server_.set_read_timeout(limits_.idle);
        server_.set_write_timeout(limits_.idle);
        server_.set_tcp_nodelay(true);
        // The library would share a port with another server.
        server_.set_socket_options([this](int socket) {
            socket_ = socket;
            const int yes = 1;
            setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        });
        server_.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
            // Answers are sent complete and as they are: what asks for a part or for less bytes is not heard.
            auto& heard = const_cast<httplib::Request&>(request);
            heard.ranges.clear();
            heard.headers.erase("Accept-Encoding");
            return begin(request, response);
        });
        server_.Post(".*", [this](const httplib::Request& request, httplib::Response& response,
                                  const httplib::ContentReader& read) { post(request, response, read); });
        // What the library itself finds wrong: a request that is no HTTP, an address that is too long.
        server_.set_error_handler(httplib::Server::Handler([](const httplib::Request&, httplib::Response& response) {
            if (response.body.empty() && !response.has_header("Content-Type"))
                response.set_content(error_json("expected a request in HTTP/1.1 with an address of at most 8192 "
                                                "characters, found another (HTTP status " +
                                                std::to_string(response.status) + ")"),
                                     "application/json");
        }));
        server_.set_logger(
            [this](const httplib::Request& request, const httplib::Response& response) { end(request, response); });
    }

    /// Answers at a path; the text after `{"error":` is a JSON string.
    void get(const std::string& path, Get answer) { routes_[path].get = std::move(answer); }
    void post(const std::string& path, Post answer) { routes_[path].post = std::move(answer); }

    /// Opens a port, any free one for 0, and returns it. Throws HttpError when it can't be had.
    int bind(const std::string& host, int port) {
        const int bound = port == 0 ? server_.bind_to_any_port(host) : server_.bind_to_port(host, port) ? port : -1;
        if (bound < 0)
            throw HttpError(500, "cannot listen at " + host + ":" + std::to_string(port) +
                                     "; expected an address of this machine and a port that is free and allowed");
        // The library has the system hold 5 connections. Of more that come at once it drops some, and their clients try
        // again after a second or more.
        ::listen(socket_, held_connections);
        return bound;
    }
    /// Serves until stop().
    void listen() { server_.listen_after_bind(); }

    /// Refuses new connections, waits until what is asked on the others is answered, at most `patience`, and ends
    /// listen().
    void stop(std::chrono::milliseconds patience) {
        stopping_ = true;
        const auto end = std::chrono::steady_clock::now() + patience;
        while (to_answer_ > 0 && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        while (!server_.is_running() && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        server_.stop();
    }

    bool is_stopping() const { return stopping_; }
    std::size_t connections() const { return open_; }

    /// `{"error":"..."}`
    static std::string error_json(const std::string& sentence) {
        std::string text = "{\"error\":\"";
        for (const char c : sentence) {
            if (c == '"' || c == '\\') text += '\\';
            text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
        return text + "\"}";
    }

private:
    static constexpr int held_connections = 512;           ///< by the system, until the server takes them
    static constexpr std::size_t max_path = 256;           ///< characters
    static constexpr std::size_t patience_with_bytes = 8;  ///< times as many as are allowed are read

    struct Route {
        Get get;
        Post post;
    };
    /// Answers what has no body, and refuses what should have none or can't be understood.
    httplib::Server::HandlerResponse begin(const httplib::Request& request, httplib::Response& response) {
        http::Work& work = http::work();
        work.has_begun = true;
        work.since = std::chrono::steady_clock::now();
        if (!std::exchange(work.is_counted, true)) ++to_answer_;
        bool closes = request.method != "GET" || work.refuses;  // as a body may be left
        try {
            if (work.refuses)
                throw HttpError(503, stopping_ ? "the server is stopping"
                                               : "too busy: all connections are in use; send the request again later");
            const Route* route = find(request.path);
            const bool reads = request.method == "GET" || request.method == "HEAD";
            const std::string length = request.get_header_value("Content-Length");
            if (reads && (request.has_header("Transfer-Encoding") || (!length.empty() && length != "0"))) {
                closes = true;
                throw HttpError(400, "expected no body after " + request.method + ", found one");
            }
            if (reads && route && route->get) {
                send(route->get(request), response, false);
            } else if (request.method == "POST" && request.path.size() <= max_path) {
                if (length.empty() && !request.has_header("Transfer-Encoding"))
                    throw HttpError(411, "expected a body with its Content-Length, found none");
                if (length.size() > 18 || length.find_first_not_of("0123456789") != length.npos)
                    throw HttpError(400, "expected a number of bytes as Content-Length, found another text");
                // What is a little too long is read to its end all the same, so that the client reads the answer.
                if (!length.empty() && std::stoull(length) / patience_with_bytes > limits_.body_bytes) throw too_long();
                return httplib::Server::HandlerResponse::Unhandled;
            } else {
                throw refusal(request, route);
            }
        } catch (const HttpError& error) {
            send(reply_to(error), response, closes);
        } catch (const std::exception& error) {
            send(reply_to(HttpError(500, error.what())), response, closes);
        }
        return httplib::Server::HandlerResponse::Handled;
    }

    void post(const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& read) {
        std::string body;
        std::size_t bytes = 0;
        const auto take = [&](const char* data, std::size_t size) {
            bytes += size;
            if (bytes <= limits_.body_bytes) body.append(data, size);
            return bytes / patience_with_bytes <= limits_.body_bytes;
        };
        bool is_read = false;  // to its end
        try {
            const Route* route = find(request.path);
            const std::string encoding = request.get_header_value("Content-Encoding");
            const bool is_form = request.is_multipart_form_data();
            is_read = is_form ? read([](const httplib::MultipartFormData&) { return true; }, take) : read(take);
            if (!route || !route->post) throw refusal(request, route);
            if (is_form) throw HttpError(415, "expected the bytes themselves as the body, found multipart/form-data");
            if (!encoding.empty() && encoding != "identity" && encoding != "gzip" && encoding != "deflate" &&
                encoding != "br")
                throw HttpError(415, "expected the Content-Encoding gzip, deflate or br, found another");
            if (bytes > limits_.body_bytes || response.status == 413) throw too_long();
            if (!is_read) throw HttpError(400, "expected a body as long and encoded as the headers say, found another");
            send(route->post(request, body), response, false);
        } catch (const HttpError& error) {
            send(reply_to(error), response, !is_read && response.status != 413);
        } catch (const std::exception& error) {
            send(reply_to(HttpError(500, error.what())), response, !is_read);
        }
    }

    /// Counts an answer.
    void end(const httplib::Request& request, const httplib::Response& response) {
        http::Work& work = http::work();
        const bool has_begun = std::exchange(work.has_begun, false);
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - work.since;
        observe_(has_begun && find(request.path) ? request.path : "other", response.status,
                 has_begun ? time.count() : 0);
        if (std::exchange(work.is_counted, false)) --to_answer_;
    }

    const Route* find(const std::string& path) const {
        const auto found = routes_.find(path);
        return found == routes_.end() ? nullptr : &found->second;
    }

    HttpError refusal(const httplib::Request& request, const Route* route) const {
        if (route)
            return {405, "expected " + std::string(route->get ? "GET" : "POST") + " at this address, found " +
                             request.method.substr(0, 20)};
        std::string known;
        for (const auto& [path, answers] : routes_) known += (known.empty() ? "" : ", ") + path;
        return {404, "there is nothing at this address; there are " + known};
    }
    HttpError too_long() const {
        return {413, "expected a body of at most " + std::to_string(limits_.body_bytes) + " bytes, found a longer one"};
    }

    static Reply reply_to(const HttpError& error) {
        Reply reply{.body = error_json(error.what()), .status = error.status()};
        if (error.status() == 503) reply.headers.emplace_back("Retry-After", "1");
        return reply;
    }

    /// Sends a reply. Closes the connection after it when it must, as where some of a body was not read: the rest would
    /// be taken for the next request.
    void send(Reply reply, httplib::Response& response, bool closes) const {
        response.status = reply.status;
        for (const auto& [name, value] : reply.headers) response.set_header(name, value);
        if (!closes && !stopping_) {
            response.set_content(reply.body, reply.type);
            return;
        }
        response.set_header("Connection", "close");
        const std::size_t size = reply.body.size();
        // The library closes a connection when what provides a content says after the last byte that it failed.
        response.set_content_provider(
            size, reply.type,
            [body = std::move(reply.body)](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                sink.write(body.data() + offset, length);
                return false;
            });
    }

    HttpLimits limits_;
    Observe observe_;
    std::map<std::string, Route> routes_;
    std::atomic<bool> stopping_ = false;
    std::atomic<std::size_t> open_ = 0;
    std::atomic<std::size_t> to_answer_ = 0;  // requests, and connections that have not asked yet
    int socket_ = -1;                         // the one that listens, which is the library's
    httplib::Server server_;
};
