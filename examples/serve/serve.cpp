// serve: answers over HTTP with a network.
//
//     serve                                         Fashion-MNIST's, with the weights in this repository
//     serve --model resnet18 --weights resnet18.safetensors --labels imagenet.txt --port 8080
//     curl --data-binary @cat.jpg http://127.0.0.1:8080/classify
//
// A browser gets a page to drop photos on; POST /classify and /explain take an image file; /v2 speaks the Open
// Inference Protocol; /metrics is for Prometheus. Requests that arrive together are computed as one batch, with the
// same bits as alone. SIGTERM and SIGINT stop it after what was asked is answered; a second one at once.
//
// Exit status: 0 after such a signal, 2 when something that the user gave is wrong.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <semaphore>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <pthread.h>
#include <unistd.h>

#include <tenon/image.hpp>
#include <tenon/inference.hpp>
#include <tenon/report.hpp>

#include "../classify/chosen_network.hpp"
#include "../common/decoding.hpp"
#include "../common/json_document.hpp"
#include "../common/preprocessing_options.hpp"
#include "../common/result.hpp"
#include "../common/run_program.hpp"
#include "batcher.hpp"
#include "http_server.hpp"
#include "metrics.hpp"
#include "open_inference.hpp"
#include "page.hpp"

namespace {

/// The command line.
struct Options : NetworkOptions {
    std::string host = "127.0.0.1";
    int port = 8080;
    std::size_t batch = 8, queue = 256;
    long wait_us = 1000;
    std::size_t connections = 64;
    std::size_t max_body = std::size_t{16} << 20;
    tenon::DecodeOptions decoding{.max_pixels = 50'000'000};
    PreprocessingOptions preprocessing;
};

void add_options(CLI::App& app, Options& options) {
    app.description("Serves a network over HTTP: a page to drop photos on, and the Open Inference Protocol.");
    add_network_options(app, options);
    const auto bounded = [&app](const char* name, auto& value, long long least, long long most, const char* help) {
        app.add_option(name, value, help)->check(CLI::Range(least, most))->capture_default_str();
    };
    app.add_option("--host", options.host, "The address to listen at; 0.0.0.0: all of this machine")
        ->capture_default_str();
    bounded("-p,--port", options.port, 0, 65535, "The port to listen at; 0: any free one");
    bounded("--batch", options.batch, 1, 1024, "Images that are computed together at most");
    bounded("--wait-us", options.wait_us, 0, 10'000'000, "Microseconds that an image waits for others at most");
    bounded("--queue", options.queue, 1, 1'000'000, "Images that wait at most; requests beyond are answered by 503");
    bounded("--connections", options.connections, 1, 256, "Connections at a time; as many more wait for one of them");
    bounded("--max-body", options.max_body, 1, 1LL << 40, "Bytes of a request's body at most");
    add_decoding_options(app, options.decoding);
    add_preprocessing_options(app, options.preprocessing);
}

/// The signals that stop the server, which only wait_for_signal receives.
sigset_t stop_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}
int wait_for_signal() {
    const sigset_t signals = stop_signals();
    int number = 0;
    sigwait(&signals, &number);
    return number;
}

/// The number after `name=` in a request's address, or `otherwise`. Throws HttpError when it is another text or out of
/// range.
int number_in_query(const httplib::Request& request, const char* name, int otherwise, int most) {
    if (!request.has_param(name)) return otherwise;
    const auto number = tenon::programs::parse_number<int>(request.get_param_value(name));
    if (!number || *number < 1 || *number > most)
        throw HttpError(400, "expected a number from 1 to " + std::to_string(most) + " as " + name + ", found another");
    return *number;
}

/// The weights' file as it was when they were read: explanations read it again, as the model keeps weights packed.
class WeightsFile {
public:
    /// `path` is empty for weights that are drawn.
    explicit WeightsFile(std::string path) : path_(std::move(path)), size_(size()), time_(time()) {}

    bool is_unchanged() const { return path_.empty() || (size() == size_ && time() == time_); }

private:
    // What can't be asked is -1 or the earliest time.
    std::uintmax_t size() const {
        std::error_code missing;
        return std::filesystem::file_size(path_, missing);
    }
    std::filesystem::file_time_type time() const {
        std::error_code missing;
        return std::filesystem::last_write_time(path_, missing);
    }

    std::string path_;
    std::uintmax_t size_;
    std::filesystem::file_time_type time_;
};

class Service {
public:
    Service(const Options& options, std::string model, Classifier& classifier, std::vector<std::string> names,
            const tenon::Preprocessing& preprocessing, WeightsFile weights)
        : options_(options),
          weights_(std::move(weights)),
          classifier_(classifier),
          names_(std::move(names)),
          preprocessing_(preprocessing),
          decoding_(decoding_for(preprocessing, options.decoding)),
          served_{.name = std::move(model),
                  .image = {preprocessing.channels, preprocessing.crop_height, preprocessing.crop_width},
                  .classes = classifier.classes(),
                  .max_images = std::max<std::size_t>(options.batch, 64)},
          decoders_(std::max(1, tenon::programs::available_threads())),
          server_({.body_bytes = options.max_body,
                   .connections = options.connections,
                   .waiting_connections = options.connections},
                  [this](const std::string& path, int status, double seconds) {
                      metrics_.add_request(path, status, seconds);
                  }),
          batcher_([&classifier](std::span<const float> images) { return classifier.logits(images); },
                   served_.image_floats(),
                   {.max_images = options.batch,
                    .max_wait = std::chrono::microseconds(options.wait_us),
                    .max_waiting = options.queue},
                   [this](std::size_t images) { metrics_.add_batch(images); }) {
        // The memory that the largest batch takes is there before the first request.
        classifier.logits(std::vector<float>(options.batch * served_.image_floats()));
        add_pages();
        add_protocol();
    }

    /// Serves until a signal.
    void run() {
        const int port = server_.bind(options_.host, options_.port);
        std::printf("serve: %s at http://%s:%d/\n", served_.name.c_str(), options_.host.c_str(), port);
        std::fflush(stdout);
        std::thread waiter([this] {
            const int number = wait_for_signal();
            std::fprintf(stderr, "serve: stopped by %s; answering what was asked\n",
                         number == SIGINT ? "SIGINT" : "SIGTERM");
            std::thread([] { _exit(128 + wait_for_signal()); }).detach();
            server_.stop(std::chrono::seconds(30));
        });
        server_.listen();
        waiter.join();
        std::fputs("serve: stopped\n", stderr);
    }

private:
    void add_pages() {
        server_.get("/", [this](const httplib::Request&) {
            return Reply{.body = page::of(served_.name),
                         .type = "text/html; charset=utf-8",
                         .headers = {{"Content-Security-Policy", page::policy},
                                     {"X-Content-Type-Options", "nosniff"},
                                     {"Referrer-Policy", "no-referrer"}}};
        });
        server_.get("/metrics", [this](const httplib::Request&) {
            return Reply{.body = metrics_.text(batcher_.waiting(), server_.connections()),
                         .type = "text/plain; version=0.0.4; charset=utf-8"};
        });
        server_.post("/classify", [this](const httplib::Request& request, const std::string& body) {
            const int top = number_in_query(request, "top", 5, served_.classes);
            const std::vector<float> logits = finite_logits(read(body).input);
            json_document::Json document = json_document::begin("serve");
            json_document::add_name(document, "model", served_.name);
            document["images"] = json_document::Json::array();
            document["images"].push_back(json_of(make_result("body", logits, top), names_));
            return Reply{.body = document.dump()};
        });
        server_.post("/explain", [this](const httplib::Request& request, const std::string& body) {
            const int rank = number_in_query(request, "rank", 1, served_.classes);
            return explain(read(body), rank);
        });
    }

    void add_protocol() {
        const auto constant = [this](const std::string& path, const std::string& text) {
            server_.get(path, [text](const httplib::Request&) { return Reply{.body = text}; });
        };
        constant("/v2", open_inference::server_metadata());
        constant("/v2/health/live", R"({"live":true})");
        const auto ready = [this](const httplib::Request&) {
            if (server_.is_stopping()) throw HttpError(503, "the server is stopping");
            return Reply{.body = R"({"ready":true})"};
        };
        server_.get("/v2/health/ready", ready);
        const std::string model = "/v2/models/" + served_.name;
        for (const std::string& path : {model, model + "/versions/1"}) {
            constant(path, open_inference::model_metadata(served_));
            server_.get(path + "/ready", ready);
            server_.post(path + "/infer", [this](const httplib::Request& request, const std::string& body) {
                const open_inference::Request asked =
                    open_inference::parse(body, request.get_header_value(open_inference::json_bytes_header), served_);
                return open_inference::respond(asked, finite_logits(asked.images), served_);
            });
        }
    }

    /// An image as it was decoded and as the network reads it.
    struct Seen {
        tenon::Image image;
        std::vector<float> input;
    };

    /// Decodes a body; at most one per core at a time, as a small file may be a large image.
    Seen read(const std::string& body) {
        struct Turn {
            std::counting_semaphore<>& turns;
            explicit Turn(std::counting_semaphore<>& all) : turns(all) { turns.acquire(); }
            ~Turn() { turns.release(); }
        } const turn(decoders_);
        try {
            Seen seen{tenon::decode_image(std::as_bytes(std::span(body)), "body", decoding_), {}};
            seen.input = preprocess(seen.image, preprocessing_);
            return seen;
        } catch (const tenon::Error& error) {
            const std::string sentence = error.what();
            throw HttpError(sentence.find("expected at most") != sentence.npos ? 413 : 400, sentence);
        }
    }

    std::vector<float> finite_logits(std::span<const float> images) {
        try {
            std::vector<float> logits = batcher_.logits(images);
            if (!std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); }))
                throw HttpError(400,
                                "the network's results are not finite numbers; its weights or the input are wrong");
            return logits;
        } catch (const TooBusy& busy) {
            throw HttpError(503, busy.what());
        }
    }

    /// The map of the class that is the `rank`-th likeliest, as a PNG file. One at a time, and few wait.
    Reply explain(const Seen& seen, int rank) {
        if (options_.precision != "float32")
            throw HttpError(501, "explanations follow the gradients of floats; start serve without --precision " +
                                     options_.precision);
        constexpr int max_waiting = 8;
        struct Place {
            std::atomic<int>& count;
            explicit Place(std::atomic<int>& all) : count(all) {
                if (++count > max_waiting) {
                    --count;
                    throw HttpError(503, "too busy: " + std::to_string(max_waiting) +
                                             " explanations are waiting; send the request again later");
                }
            }
            ~Place() { --count; }
        } const place(explaining_);
        finite_logits(seen.input);
        const std::lock_guard lock(explain_mutex_);
        if (!weights_.is_unchanged())
            throw HttpError(503,
                            "explanations need the file of weights as it was when the server was started, and it "
                            "is another one now or gone; restart the server");
        const auto maps = classifier_.explain(seen.input, rank, {});
        const std::vector<std::byte> png = tenon::programs::encode_png(
            overlay(cut_for_network(seen.image, preprocessing_), maps.at(static_cast<std::size_t>(rank - 1))));
        return {.body = std::string(reinterpret_cast<const char*>(png.data()), png.size()), .type = "image/png"};
    }

    const Options& options_;
    WeightsFile weights_;
    Classifier& classifier_;
    std::vector<std::string> names_;
    tenon::Preprocessing preprocessing_;
    tenon::DecodeOptions decoding_;
    open_inference::Served served_;
    Metrics metrics_;
    std::counting_semaphore<> decoders_;
    std::atomic<int> explaining_ = 0;
    std::mutex explain_mutex_;
    HttpServer server_;
    Batcher batcher_;
};

int run(const Options& options) {
    // Before any thread begins: all inherit that these signals are not theirs.
    const sigset_t signals = stop_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    Weights weights = find_weights(options.weights);
    const std::string model = choose_network(options, weights, "serve");
    if (weights.path.empty()) weights = find_weights(options, model);
    WeightsFile file(weights.path);  // before it is read
    const std::unique_ptr<Classifier> classifier = make_chosen_classifier(model, options);
    const PreprocessingOptions chosen =
        preprocessing::with_those_of_file(options.preprocessing, weights.info.more, weights.path);
    const tenon::Preprocessing preprocessing = chosen_preprocessing(classifier->preprocessing(), chosen);
    std::vector<std::string> names = take_weights(*classifier, model, options, weights, "serve");
    if (names.empty()) names = default_names(*classifier, model);
    Service(options, model, *classifier, std::move(names), preprocessing, std::move(file)).run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return run_program<Options>("serve", argc, argv, add_options, run); }
