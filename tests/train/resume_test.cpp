// Checkpoints: a run that is killed, interrupted or lengthened ends bitwise as one that never was; what is no
// checkpoint is refused.
#include <algorithm>
#include <clocale>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sstream>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tenon/io/read_weights_info.hpp>
#include <tenon/models/cifar.hpp>
#include <tenon/train/callbacks/best_weights.hpp>
#include <tenon/train/callbacks/periodic_checkpoint.hpp>
#include <tenon/train/callbacks/stop_on_interrupt.hpp>
#include <tenon/train/optimizers/adamw.hpp>
#include <tenon/train/optimizers/sgd.hpp>
#include <tenon/train/trainer.hpp>

#include "../support.hpp"
#include "patterns.hpp"

namespace {
using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::Patterns;
using tenon_test::read_file;
using tenon_test::TemporaryFolder;
using tenon_test::write_file;

struct Resumed : Network<Input<3, 8, 8>, Stem<Conv<16, Kernel<3>, Padding<1>>>,
                         detail::CifarStage<detail::CifarBlockV2, 16, 1, 1, true>,
                         Head<BatchNorm, ReLU, GlobalAvgPool, Dropout<Rate<1, 4>>, Linear<6>>> {};
struct Wider : Network<Input<3, 8, 8>, Stem<Conv<32, Kernel<3>, Padding<1>>>,
                       detail::CifarStage<detail::CifarBlockV2, 32, 1, 1, true>,
                       Head<BatchNorm, ReLU, GlobalAvgPool, Dropout<Rate<1, 4>>, Linear<6>>> {};

const SgdOptions steep{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 5e-4};
const TrainerOptions recipe{
    .batch_size = 12, .seed = 3, .threads = 2, .label_smoothing = 0.1, .clip_norm = 1, .average = AverageOptions{}};
constexpr int epochs = 6;
constexpr long batches = 5;

Patterns images() { return {{3, 8, 8}, 6, batches, 12}; }

/// Everything that must not depend on whether a run was killed, as bytes.
template <class Net, class Backend>
std::string result_of(const Trainer<Net, Backend>& trainer) {
    std::string bytes;
    const auto append = [&](const auto& values) {
        bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
    };
    append(trainer.parameters().values());
    append(trainer.weights().values());
    for (EpochReport report : trainer.history()) {
        report.seconds = 0;
        append(detail::history_table({report}));
    }
    return bytes;
}

/// The child's ends of two pipes.
constexpr int news = 100, answers = 101;

/// Tells the parent of each step and waits for its answer.
struct InStep : Callback {
    void on_step(const StepReport&, TrainerControl&) override {
        char byte = 's';
        if (::write(news, &byte, 1) != 1 || ::read(answers, &byte, 1) != 1) ::_exit(3);
    }
};

void run_child(const std::string& folder) {
    Trainer<Resumed> trainer{steep, recipe};
    const std::string path = folder + "/run.safetensors";
    if (std::filesystem::exists(path)) trainer.restore(path);
    PeriodicCheckpoint checkpoint{path, {.steps = 3}};
    InStep in_step;
    Patterns source = images();
    trainer.fit(source, source,
                {.epochs = epochs, .schedule = schedules::cosine(), .callbacks = {&checkpoint, &in_step}});
    write_file(folder + "/result", result_of(trainer));
    ::_exit(0);
}

/// A child process that runs this program's test case with two pipes.
struct Child {
    pid_t process;
    int to, from;
    explicit Child(const std::string& folder) {
        int down[2], up[2];
        REQUIRE((::pipe(down) == 0 && ::pipe(up) == 0));
        process = ::fork();
        REQUIRE(process >= 0);
        if (process == 0) {
            ::dup2(down[0], answers);
            ::dup2(up[1], news);
            for (const int end : {down[0], down[1], up[0], up[1]}) ::close(end);
            ::setenv("TENON_RESUME_FOLDER", folder.c_str(), 1);
            ::execl("/proc/self/exe", "trainer", "--test-case=a run that is killed*", static_cast<char*>(nullptr));
            ::_exit(4);
        }
        ::close(down[0]);
        ::close(up[1]);
        to = down[1];
        from = up[0];
    }
    /// Waits for a step; false when the child has ended.
    bool step() const {
        char byte;
        return ::read(from, &byte, 1) == 1;
    }
    void answer() const {
        const char byte = 'a';
        CHECK(::write(to, &byte, 1) == 1);
    }
    int wait() const {
        int status = 0;
        ::waitpid(process, &status, 0);
        ::close(to);
        ::close(from);
        return status;
    }
};

TEST_CASE("a run that is killed in the middle of epochs and goes on ends bitwise as one that never was") {
    if (const char* folder = std::getenv("TENON_RESUME_FOLDER")) run_child(folder);
    std::signal(SIGPIPE, SIG_IGN);
    const TemporaryFolder folder;
    int kills = 0, steps_run = 0;
    for (int sitting = 0;; ++sitting) {
        REQUIRE(sitting < 20);
        const Child child{folder.file("")};
        int steps = 0;
        bool killed = false;
        while (child.step()) {
            ++steps;
            child.answer();
            // The answer lets the child run on, so it is hit in a step, between two, or while it writes a checkpoint.
            if (steps == 5 + sitting && sitting < 4) {
                ::usleep(static_cast<useconds_t>(300 * sitting));
                ::kill(child.process, SIGKILL);
                killed = true;
                break;
            }
        }
        steps_run += steps;
        const int status = child.wait();
        if (killed) {
            REQUIRE(WIFSIGNALED(status));
            ++kills;
            continue;
        }
        REQUIRE(WIFEXITED(status));
        REQUIRE(WEXITSTATUS(status) == 0);
        break;
    }
    CHECK(kills == 4);
    CHECK(steps_run > epochs * batches);  // some steps were done twice

    TrainerOptions other = recipe;
    other.threads = 1;
    Trainer<Resumed> trainer{steep, other};
    Patterns source = images();
    trainer.fit(source, source, {.epochs = epochs, .schedule = schedules::cosine()});
    const std::string expected = result_of(trainer), found = read_file(folder.file("result"));
    REQUIRE(found.size() == expected.size());
    CHECK(std::memcmp(found.data(), expected.data(), found.size()) == 0);
}

/// Saves a checkpoint at given steps.
struct SaveAt : Callback {
    std::string path;
    std::vector<long> at;
    SaveAt(std::string where, std::vector<long> steps) : path{std::move(where)}, at{std::move(steps)} {}
    void on_step(const StepReport& report, TrainerControl& trainer) override {
        if (std::find(at.begin(), at.end(), report.step) != at.end()) trainer.save_checkpoint(path);
    }
};

/// A checkpoint of step 7 at `path`, the one of step 3 beside it.
void make_checkpoints(const std::string& path) {
    Trainer<Resumed> trainer{steep, recipe};
    SaveAt save{path, {3, 7}};
    EarlyStop keep{};
    Patterns source = images();
    trainer.fit(source, source, {.epochs = 2, .schedule = schedules::cosine(), .callbacks = {&save, &keep}});
}

template <class Trainer>
std::string state_of(const Trainer& trainer) {
    return result_of(trainer) + std::to_string(trainer.state().step) + "/" + std::to_string(trainer.state().batch);
}

TEST_CASE("a checkpoint holds the whole state, and the one before it is kept") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    make_checkpoints(path);
    Trainer<Resumed> trainer{steep, recipe};
    const detail::Restored restored = trainer.restore(path);
    CHECK(restored.path == path);
    CHECK(restored.problem.empty());
    CHECK(trainer.state().step == 7);
    CHECK(trainer.state().epoch == 1);
    CHECK(trainer.state().batch == 2);
    CHECK(trainer.history().size() == 1);
    CHECK(detail::CheckpointFile{path}.find("kept") != nullptr);

    Trainer<Resumed> earlier{steep, recipe};
    earlier.restore(detail::previous_checkpoint(path));
    CHECK(earlier.state().step == 3);
    CHECK_FALSE(std::filesystem::exists(path + ".keep"));

    // A fit goes on only as it began, or longer.
    Patterns source = images();
    const FitOptions begun{.epochs = 2, .schedule = schedules::cosine()};
    FitOptions longer = begun, shorter = begun, timed = begun, other_schedule = begun;
    longer.epochs = 3;
    shorter.epochs = 1;
    timed.budget_seconds = 100;
    other_schedule.schedule = schedules::linear_to_zero();
    CHECK(contains(error_of([&] { trainer.fit(source, shorter); }),
                   "began with 2 epochs, expected at least as much to resume it, found 1 epoch"));
    CHECK(contains(error_of([&] { trainer.fit(source, timed); }), "found 2 epochs in at most 100 s"));
    CHECK(contains(error_of([&] { trainer.fit(source, other_schedule); }), "began with the schedule cosine"));
    Patterns fewer{{3, 8, 8}, 6, 4, 12};
    CHECK(contains(error_of([&] { trainer.fit(fewer, begun); }), "batches in an epoch: 5 and can't be resumed with 4"));
    CHECK(trainer.state().step == 7);
    trainer.fit(source, source, begun);
    earlier.fit(source, source, begun);
    CHECK(trainer.state().step == 10);
    CHECK(state_of(trainer) == state_of(earlier));
    // Then it is over: another one begins anew.
    trainer.fit(source, longer);
    CHECK(trainer.state().step == 25);
}

/// What a trainer is after epochs of training that nothing stopped, and with an evaluation after each.
std::string never_stopped(int count, const Schedule& schedule) {
    Trainer<Resumed> trainer{steep, recipe};
    Patterns source = images();
    trainer.fit(source, source, {.epochs = count, .schedule = schedule});
    return state_of(trainer);
}

TEST_CASE("a finished run that gets more epochs ends bitwise as one that was as long from the start") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    // Its rates are the same in a run of any length.
    const Schedule schedule =
        schedules::warm_up(Duration::steps(3)) * schedules::multi_step({Duration::epochs(1), Duration::epochs(3)}, 0.5);
    Patterns source = images();
    PeriodicCheckpoint save{path};
    Trainer<Resumed> first{steep, recipe};
    first.fit(source, source, {.epochs = 2, .schedule = schedule, .callbacks = {&save}});
    for (const int count : {2, 3, 4}) {  // each goes on with what the one before it saved
        Trainer<Resumed> trainer{steep, recipe};
        trainer.restore(path);
        CHECK(trainer.history().size() == static_cast<std::size_t>(std::max(2, count - 1)));
        trainer.fit(source, source, {.epochs = count, .schedule = schedule, .callbacks = {&save}});
        CHECK(state_of(trainer) == never_stopped(count, schedule));
    }
    // A run that isn't finished can be lengthened as well.
    struct Stop : Callback {
        void on_step(const StepReport& report, TrainerControl& trainer) override {
            if (report.step == 7) trainer.interrupt("step 7");
        }
        void on_interrupt(TrainerControl& trainer) override { trainer.save_checkpoint(where); }
        std::string where;
    } stop;
    stop.where = folder.file("part.safetensors");
    Trainer<Resumed> part{steep, recipe}, longer{steep, recipe};
    part.fit(source, source, {.epochs = 2, .schedule = schedule, .callbacks = {&stop}});
    CHECK(part.is_interrupted());
    CHECK(part.stop_reason() == "step 7");
    longer.restore(stop.where);
    longer.fit(source, source, {.epochs = 3, .schedule = schedule});
    CHECK(state_of(longer) == never_stopped(3, schedule));
}

TEST_CASE("a schedule that spans the run goes on as that of the longer run") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    Patterns source = images();
    PeriodicCheckpoint save{path};
    struct Rates : Callback {
        std::vector<double> rates;
        void on_step(const StepReport& report, TrainerControl&) override { rates.push_back(report.learning_rate); }
    } rates;
    Trainer<Resumed> first{steep, recipe}, second{steep, recipe};
    first.fit(source, {.epochs = 2, .schedule = schedules::cosine(), .callbacks = {&rates, &save}});
    second.restore(path);
    second.fit(source, {.epochs = 4, .schedule = schedules::cosine(), .callbacks = {&rates}});
    REQUIRE(rates.rates.size() == 20);
    for (std::size_t i = 0; i < 20; ++i)
        CHECK(rates.rates[i] ==
              steep.learning_rate * schedules::cosine()({static_cast<double>(i), i < 10 ? 10.0 : 20.0, 5}));

    // A run that its time ended may go on by epochs, if they are more than it had.
    Trainer<Resumed> timed{steep, recipe}, more{steep, recipe};
    timed.fit(source, {.budget_seconds = 1e-6, .callbacks = {&save}});
    const int done = static_cast<int>(timed.state().epoch);
    REQUIRE(done == 1);
    more.restore(path);
    const std::string before = state_of(more);
    CHECK(contains(error_of([&] { more.fit(source, {.epochs = done}); }),
                   "began with 1e-06 s, expected at least as much to resume it, found 1 epoch"));
    CHECK(state_of(more) == before);
    more.fit(source, {.epochs = done + 2});
    CHECK(more.state().step == timed.state().step + 2 * batches);
}

/// Raises a signal at a place in a fit.
struct RaiseAt : Callback {
    enum class Place { step, validation, end, leave };
    int signal;
    Place place = Place::step;
    long count = 1;  ///< the step, or the batch of all validations
    bool was_raised = false;
    RaiseAt(int number, Place where, long at = 1) : signal{number}, place{where}, count{at} {}
    void reach(Place where, long at) {
        if (where != place || at != count || std::exchange(was_raised, true)) return;
        std::raise(signal);
    }
    void on_step(const StepReport& report, TrainerControl&) override { reach(Place::step, report.step); }
    void on_validation_batch(TrainerControl&) override { reach(Place::validation, ++validated); }
    void on_end(TrainerControl&) override { reach(Place::end, 1); }
    void on_leave() noexcept override { reach(Place::leave, 1); }
    long validated = 0;
};

/// Handlers that count, as a program has them that uses the library.
int signals_seen = 0;
struct CountSignals {
    struct sigaction int_before {
    }, term_before{};
    CountSignals() {
        signals_seen = 0;
        struct sigaction action {};
        action.sa_handler = [](int) { ++signals_seen; };
        ::sigaction(SIGINT, &action, &int_before);
        ::sigaction(SIGTERM, &action, &term_before);
    }
    CountSignals(const CountSignals&) = delete;
    CountSignals& operator=(const CountSignals&) = delete;
    ~CountSignals() {
        ::sigaction(SIGINT, &int_before, nullptr);
        ::sigaction(SIGTERM, &term_before, nullptr);
    }
    /// Whether a handler of the program is set, not one of the fit.
    static bool is_set(int signal) {
        struct sigaction action {};
        ::sigaction(signal, nullptr, &action);
        return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN &&
               action.sa_handler != &tenon::detail::handle_interrupt;
    }
};

TEST_CASE("a signal ends a fit where it is, and the fit goes on to the same bits") {
    using Place = RaiseAt::Place;
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    const std::string expected = never_stopped(2, schedules::cosine());
    Patterns source = images();
    struct Stopped {
        int signal;
        Place place;
        long at, step, epoch;
    };
    for (const auto& [signal, place, at, step, epoch] :
         {Stopped{SIGINT, Place::step, 7, 7, 1}, Stopped{SIGTERM, Place::step, 5, 5, 0},
          Stopped{SIGINT, Place::validation, 2, 5, 0}, Stopped{SIGTERM, Place::validation, 10, 10, 1},
          Stopped{SIGINT, Place::end, 1, 10, 2}}) {
        const CountSignals count;
        std::ostringstream said;
        RaiseAt raise{signal, place, at};
        StopOnInterrupt stop{path, "again --resume", said};
        EarlyStop keep{};
        Trainer<Resumed> trainer{steep, recipe};
        trainer.fit(source, source,
                    {.epochs = 2, .schedule = schedules::cosine(), .callbacks = {&raise, &stop, &keep}});
        CHECK(trainer.is_interrupted());
        CHECK(stop.is_interrupted());
        CHECK(stop.signal() == signal);
        const std::string name = signal == SIGINT ? "SIGINT" : "SIGTERM";
        CHECK(trainer.stop_reason() == name);
        CHECK(said.str() == "stopped by " + name + " after step " + std::to_string(step) + ", saved in " + path +
                                "; to go on: again --resume\n");
        CHECK(trainer.state().step == step);
        CHECK(trainer.state().epoch == epoch);
        CHECK(trainer.history().size() == static_cast<std::size_t>(epoch));
        CHECK(signals_seen == 0);
        CHECK(CountSignals::is_set(SIGINT));
        CHECK(CountSignals::is_set(SIGTERM));

        Trainer<Resumed> resumed{steep, recipe};
        resumed.restore(path);
        CHECK(resumed.state().step == step);
        RaiseAt none{signal, Place::step, 1000};
        resumed.fit(source, source, {.epochs = 2, .schedule = schedules::cosine(), .callbacks = {&none, &stop}});
        CHECK_FALSE(resumed.is_interrupted());
        CHECK_FALSE(stop.is_interrupted());
        CHECK(resumed.state().epoch == 2);
        if (place != Place::end) CHECK(state_of(resumed) == expected);
        // The same trainer can fit again, too.
        trainer.fit(source, {.epochs = 1, .callbacks = {&stop}});
        CHECK_FALSE(trainer.is_interrupted());
    }
}

TEST_CASE("the handlers of a fit are gone however it ends, and a late signal is not lost") {
    const TemporaryFolder folder;
    const CountSignals count;
    struct Throw : Callback {
        void on_step(const StepReport&, TrainerControl&) override { throw Error("a full disk"); }
    } thrower;
    std::ostringstream said;
    StopOnInterrupt stop{folder.file("run.safetensors"), "", said};
    Patterns source = images();
    Trainer<Resumed> trainer{steep, recipe};
    CHECK(error_of([&] { trainer.fit(source, {.epochs = 1, .callbacks = {&stop, &thrower}}); }) == "a full disk");
    CHECK(CountSignals::is_set(SIGINT));

    // After the last look at it and before the handlers go: whoever handles it then gets it.
    RaiseAt late{SIGTERM, RaiseAt::Place::leave};
    trainer.fit(source, {.epochs = 1, .callbacks = {&late, &stop}});
    CHECK_FALSE(trainer.is_interrupted());
    CHECK(signals_seen == 1);
    CHECK(said.str().empty());

    // What can't be saved is an error, and no line says it was.
    StopOnInterrupt nowhere{folder.file("absent/run"), "", said};
    RaiseAt raise{SIGINT, RaiseAt::Place::step, trainer.state().step + 1};
    CHECK(contains(error_of([&] {
                       trainer.fit(source, {.epochs = 1, .callbacks = {&raise, &nowhere}});
                   }),
                   "absent/run: cannot"));
    CHECK(said.str().empty());
    CHECK(CountSignals::is_set(SIGINT));
}

TEST_CASE("a checkpoint that is written under a locale with a decimal comma is read under that and any other") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    const auto resumes = [&] {
        Trainer<Resumed> trainer{steep, recipe};
        trainer.restore(path);
        return trainer.state().step == 7 && trainer.state().learning_rate > 0;
    };
    REQUIRE_MESSAGE(std::setlocale(LC_ALL, "de_DE.UTF-8"), "the locale de_DE.UTF-8 is missing; run scripts/setup");
    make_checkpoints(path);
    CHECK(resumes());
    std::setlocale(LC_ALL, "C");
    CHECK(resumes());
}

/// Writes a checkpoint anew, with a right checksum, after change(metadata).
template <class Change>
void forge(const std::string& path, const Change& change) {
    Metadata metadata;
    std::vector<TensorEntry> tensors;
    std::vector<std::string> bytes;
    {
        const SafetensorsFile file{path};
        metadata = file.metadata();
        for (TensorEntry entry : file.tensors()) {
            bytes.emplace_back(reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size());
            tensors.push_back(std::move(entry));
        }
        for (std::size_t i = 0; i < bytes.size(); ++i) tensors[i].bytes = std::as_bytes(std::span(bytes[i]));
        change(metadata, tensors);
    }
    detail::write_checkpoint(path, tensors, metadata);
}

TEST_CASE("a checkpoint of the version that wrote numbers as the locale had them is read") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    make_checkpoints(path);
    Trainer<Resumed> expected{steep, recipe}, trainer{steep, recipe};
    expected.restore(path);
    int commas = 0;
    forge(path, [&](Metadata& metadata, const auto&) {
        for (auto& [key, text] : metadata)
            for (std::size_t i = 1; i + 1 < text.size(); ++i)
                if (text[i] == '.' && std::isdigit(text[i - 1]) && std::isdigit(text[i + 1])) {
                    text[i] = ',';
                    ++commas;
                }
    });
    CHECK(commas > 5);
    trainer.restore(path);
    CHECK(state_of(trainer) == state_of(expected));
    Patterns source = images();
    trainer.fit(source, {.epochs = epochs, .schedule = schedules::cosine()});
}

TEST_CASE("a forged checkpoint with a right checksum is refused where its numbers are impossible") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    make_checkpoints(path);
    const std::string bytes = read_file(path);
    Trainer<Resumed> trainer{steep, recipe};
    const std::string before = state_of(trainer);
    for (const auto& [key, value] : {std::pair{"step", "-1"},
                                     {"step", "9223372036854775807"},
                                     {"epoch", "9223372036854775807"},
                                     {"batch", "6"},
                                     {"batches", "-5"},
                                     {"skipped", "8"},
                                     {"fit_step", "8"},
                                     {"fit_epoch", "2"},
                                     {"fit_epochs", "9223372036854775807"},
                                     {"epoch_images", "-1"},
                                     {"epoch_correct", "1000"},
                                     {"fit_budget", "nan"},
                                     {"fit_seconds", "-1"},
                                     {"epoch_seconds", "inf"},
                                     {"epoch_loss", "nan"},
                                     {"learning_rate", "-0.5"}}) {
        CAPTURE(key);
        write_file(path, bytes);
        forge(path, [&, k = key, v = value](Metadata& metadata, const auto&) { metadata[k] = v; });
        const std::string error = error_of([&] { trainer.restore(path); });
        CHECK(contains(error, std::string("no training has reached the '") + key + "' in the checkpoint, "));
        CHECK(state_of(trainer) == before);
    }
    for (const double wrong : {std::numeric_limits<double>::quiet_NaN(), 1e300, -1.0}) {
        write_file(path, bytes);
        std::vector<double> table(detail::history_columns, wrong);
        forge(path, [&](const Metadata&, std::vector<TensorEntry>& tensors) {
            *std::ranges::find(tensors, "history", &TensorEntry::name) = make_tensor_entry<double>(
                "history", {1, static_cast<std::int64_t>(detail::history_columns)}, std::span(std::as_const(table)));
        });
        CHECK(contains(error_of([&] { trainer.restore(path); }), "the history has "));
        CHECK(state_of(trainer) == before);
    }
}

TEST_CASE("what is no checkpoint of this trainer is refused, and the trainer is as before") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    make_checkpoints(path);
    std::filesystem::remove(detail::previous_checkpoint(path));
    const std::string bytes = read_file(path);
    const auto refuses = [&](auto& trainer, const std::string& part) {
        const std::string before = state_of(trainer);
        const std::string error = error_of([&] { trainer.restore(path); });
        CAPTURE(error);
        CHECK(contains(error, path));
        CHECK(contains(error, part));
        CHECK(state_of(trainer) == before);
    };
    Trainer<Resumed> trainer{steep, recipe};
    Trainer<Wider> wider{steep, recipe};
    refuses(wider, "the checkpoint belongs to another network: its fingerprint is");
    Trainer<Resumed> adam{AdamWOptions{}, recipe};
    refuses(adam, "the checkpoint was made with optimizer 'sgd torch");
    TrainerOptions other_seed = recipe, no_average = recipe;
    other_seed.seed = 4;
    no_average.average.reset();
    Trainer<Resumed> seeded{steep, other_seed}, plain{steep, no_average};
    refuses(seeded, "made with seed '3', this trainer has '4'");
    refuses(plain, "made with average 'decay=");
    Trainer<Resumed, CpuWith<Precision::bfloat16>> rounding{steep, recipe};
    refuses(rounding, "the checkpoint was made in float32, this trainer computes in bfloat16; weights that were saved");

    for (const std::size_t size :
         {std::size_t{0}, std::size_t{5}, std::size_t{300}, bytes.size() / 2, bytes.size() - 1}) {
        write_file(path, bytes.substr(0, size));
        refuses(trainer, "");
    }
    for (const double where : {0.3, 0.6, 0.9}) {
        std::string flipped = bytes;
        flipped[static_cast<std::size_t>(where * static_cast<double>(bytes.size()))] ^= 1;
        write_file(path, flipped);
        refuses(trainer, "the file is damaged: its checksum is");
    }
    const std::string format{detail::checkpoint_format};
    std::string future = bytes;
    future.replace(future.find(format), format.size(), "tenon checkpoint 2");
    write_file(path, future);
    refuses(trainer, "expected the format 'tenon checkpoint 1', found 'tenon checkpoint 2'");
    trainer.save_weights(path);
    refuses(trainer, "expected a checkpoint of a trainer, found another safetensors file");
    std::filesystem::remove(path);
    refuses(trainer, "cannot open the file");

    write_file(path, bytes);
    CHECK(trainer.restore(path).problem.empty());
}

TEST_CASE("a run in bfloat16 goes on from its checkpoint to the same bits, which no trainer in float32 takes") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    const auto make = [] { return Trainer<Resumed, CpuWith<Precision::bfloat16>>{steep, recipe}; };
    Patterns source = images();
    const FitOptions options{.epochs = 2, .schedule = schedules::cosine()};
    auto whole = make(), resumed = make();
    SaveAt save{path, {7}};
    FitOptions saving = options;
    saving.callbacks = {&save};
    whole.fit(source, saving);
    resumed.restore(path);
    CHECK(resumed.state().step == 7);
    resumed.fit(source, options);
    CHECK(tenon_test::same_bytes(whole.parameters().values(), resumed.parameters().values()));

    Trainer<Resumed> in_floats{steep, recipe};
    CHECK(contains(error_of([&] { in_floats.restore(path); }),
                   "the checkpoint was made in bfloat16, this trainer computes in float32"));
}

TEST_CASE("a checkpoint of images that were read otherwise is refused") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    const auto make = [](const std::string& preprocessing) {
        TrainerOptions options = recipe;
        options.preprocessing = preprocessing;
        return Trainer<Resumed>{steep, options};
    };
    // A comma between digits is none of a locale, and what isn't UTF-8 is kept all the same.
    const std::string reading = "as of caf\xe9, - 0.485,0.456, / 0.25";
    auto told = make(reading), same = make(reading), other = make("- 0,5"), silent = make("");
    told.save_checkpoint(path);
    CHECK(error_of([&] { same.restore(path); }) == "(no error)");
    CHECK(error_of([&] { silent.restore(path); }) == "(no error)");
    CHECK(contains(error_of([&] { other.restore(path); }),
                   "was made with preprocessing 'as of caf\\xE9, - 0.485,0.456, / 0.25', this trainer has '- 0,5'"));
    silent.save_checkpoint(path);
    CHECK(error_of([&] { told.restore(path); }) == "(no error)");
}

TEST_CASE("a schedule of one's own is recognized, also with commas between digits") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    const Schedule own{"halved after 3,5 epochs",
                       [](const ScheduleTime& time) { return time.step < 3.5 * time.per_epoch ? 1.0 : 0.5; }};
    Trainer<Resumed> whole{steep, recipe}, resumed{steep, recipe};
    SaveAt save{path, {3}};
    Patterns source = images();
    whole.fit(source, {.epochs = epochs, .schedule = own, .callbacks = {&save}});
    resumed.restore(path);
    resumed.fit(source, {.epochs = epochs, .schedule = own});
    CHECK(state_of(resumed) == state_of(whole));
}

TEST_CASE("the previous checkpoint is taken if asked for, and said so") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    make_checkpoints(path);
    std::string bytes = read_file(path);
    bytes.resize(bytes.size() - 100);
    write_file(path, bytes);
    Trainer<Resumed> trainer{steep, recipe};
    CHECK(contains(error_of([&] { trainer.restore(path); }),
                   "the previous checkpoint is at " + detail::previous_checkpoint(path)));
    CHECK(trainer.state().step == 0);
    const detail::Restored restored = trainer.restore(path, {.fall_back = true});
    CHECK(restored.path == detail::previous_checkpoint(path));
    CHECK(contains(restored.problem, path));
    CHECK(trainer.state().step == 3);
}

TEST_CASE("a checkpoint that is written through a symbolic link keeps its previous one") {
    const TemporaryFolder run, scratch;
    const std::string path = run.file("run.checkpoint");
    std::filesystem::create_symlink(scratch.file("store"), path);
    for (const char* step : {"1", "2", "3"}) detail::write_checkpoint(path, {}, {{"step", step}});
    CHECK(std::filesystem::is_symlink(path));
    CHECK(std::filesystem::is_regular_file(scratch.file("store")));
    CHECK(detail::CheckpointFile{path}.value("step") == "3");
    CHECK(detail::CheckpointFile{detail::previous_checkpoint(path)}.value("step") == "2");
    CHECK_FALSE(std::filesystem::exists(std::filesystem::symlink_status(path + ".keep")));
}

TEST_CASE("undefined parameters are not saved, and the checkpoint before survives") {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.safetensors");
    Trainer<Resumed> trainer{steep, recipe};
    trainer.save_checkpoint(path);
    const std::string before = read_file(path);
    Parameters<Resumed> parameters;
    std::ranges::copy(trainer.parameters().values(), parameters.values().begin());
    parameters[1][3] = std::numeric_limits<float>::infinity();
    trainer.set_parameters(parameters);
    const std::string error = error_of([&] { trainer.save_checkpoint(path); });
    CHECK(contains(error, "no checkpoint was written: " + detail::parameter_names<Resumed>(Naming::canonical)[1]));
    CHECK(read_file(path) == before);

    // Running statistics are part of the state, and an iteration moves them even if its loss is undefined.
    const auto parts = parameters.infos();
    const auto variance = std::ranges::find(parts, ParameterRole::running_variance, &detail::Parameter::role);
    parameters[1][3] = 1;
    for (const float undefined : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        const int index = static_cast<int>(variance - parts.begin());
        const std::string name = detail::parameter_names<Resumed>(Naming::canonical)[static_cast<std::size_t>(index)];
        parameters[index][0] = undefined;
        trainer.set_parameters(parameters);
        CHECK(contains(error_of([&] { trainer.save_checkpoint(path); }), "no checkpoint was written: " + name));
        CHECK(read_file(path) == before);
        CHECK(contains(error_of([&] { trainer.save_weights(path); }), "no weights were written: " + name));
        CHECK(read_file(path) == before);
    }

    // The same when a loss becomes undefined in a fit that saves every step.
    Trainer<Resumed> wild{SgdOptions{.learning_rate = 1e30}, {.batch_size = 12}};
    PeriodicCheckpoint save{folder.file("wild"), {.steps = 1}};
    Patterns source = images();
    const std::string fit_error = error_of([&] { wild.fit(source, {.epochs = 1, .callbacks = {&save}}); });
    CHECK(contains(fit_error, "step"));
    if (std::filesystem::exists(folder.file("wild"))) {
        Trainer<Resumed> again{SgdOptions{.learning_rate = 1e30}, {.batch_size = 12}};
        again.restore(folder.file("wild"));
        CHECK(detail::undefined_tensor<Resumed>(again.parameters()).empty());
    }
    CHECK(contains(error_of([&] { trainer.save_weights(folder.file("absent/weights")); }), "absent/weights"));
}

TEST_CASE("saved weights say the names of their classes") {
    const TemporaryFolder folder;
    Trainer<Resumed> trainer{steep, recipe};
    Patterns source = images();
    const std::vector<std::string> names{"a", "b", "caf\xE9", "d", "e", "f"};
    BestWeights best{folder.file("best"), Monitor::validation_loss, {.network = "resumed", .classes = names}};
    trainer.fit(source, source, {.epochs = 1, .callbacks = {&best}});
    CHECK(read_weights_info(folder.file("best")).classes == names);
    trainer.save_weights(folder.file("last"), {.classes = names, .more = {{"license", "CC0"}}});
    const WeightsInfo info = read_weights_info(folder.file("last"));
    CHECK(info.classes == names);
    CHECK(info.network.empty());
    CHECK(info.more == Metadata{{"license", "CC0"}});
    CHECK(Parameters<Resumed>{folder.file("last")}.values().size() == trainer.weights().values().size());

    // Too few names, too many: nothing is written, and a fit doesn't begin.
    const auto before = read_file(folder.file("last"));
    for (const std::size_t count : {5, 7}) {
        const WeightsInfo wrong{.classes = std::vector<std::string>(count, "x")};
        CHECK(contains(error_of([&] { trainer.save_weights(folder.file("last"), wrong); }),
                       "expected 6 names of classes, one for each result of the network, found "));
        BestWeights refused{folder.file("best"), Monitor::validation_loss, wrong};
        const long steps = trainer.state().step;
        CHECK(contains(error_of([&] { trainer.fit(source, source, {.epochs = 1, .callbacks = {&refused}}); }),
                       "expected 6 names of classes"));
        CHECK(trainer.state().step == steps);
    }
    CHECK(read_file(folder.file("last")) == before);
}

}  // namespace
