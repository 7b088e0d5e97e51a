#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tenon/io/safetensors.hpp>
#include <tenon/io/safetensors_writer.hpp>

#include "../support.hpp"

namespace detail = tenon::detail;
using tenon::DType;
using tenon::make_tensor_entry;
using tenon::SafetensorsFile;
using tenon::TensorEntry;
using tenon_test::contains;
using tenon_test::error_of;
using tenon_test::read_file;
using tenon_test::source_file;
using tenon_test::TemporaryFolder;

namespace {

const std::vector<float> floats{1, 2, 3, 4, 5, 6};
const std::vector<double> doubles{-0.5, 0.1};
const std::vector<std::uint8_t> bytes{7, 8, 9};

std::vector<TensorEntry> some_tensors() {
    return {make_tensor_entry<std::uint8_t>("bytes", {3}, bytes),
            make_tensor_entry<float>("floats \"\n", {2, 3}, floats), make_tensor_entry<double>("doubles", {2}, doubles),
            make_tensor_entry<float>("empty", {0, 5}, {})};
}

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
    return names;
}

}  // namespace

TEST_CASE("what is written is read back, aligned") {
    const TemporaryFolder folder;
    const std::string path = folder.file("net.safetensors");
    const tenon::Metadata metadata{{"format", "tenon"}, {"note", "\"\\\n\xE2\x98\x83"}};
    write_safetensors(path, some_tensors(), metadata);
    CHECK(names_in(folder.file("")) == std::vector<std::string>{"net.safetensors"});

    const SafetensorsFile file(path);
    CHECK(file.metadata() == metadata);
    REQUIRE(file.tensors().size() == 4);
    CHECK(file.values<std::uint8_t>("bytes") == bytes);
    CHECK(file.values<float>("floats \"\n") == floats);
    CHECK(file.values<double>("doubles") == doubles);
    CHECK(file.at("floats \"\n").shape == std::vector<std::int64_t>{2, 3});
    CHECK(file.at("empty").shape == std::vector<std::int64_t>{0, 5});
    CHECK(reinterpret_cast<std::uintptr_t>(file.tensors().front().bytes.data()) % 64 == 0);
    for (const TensorEntry& entry : file.tensors())
        CHECK(reinterpret_cast<std::uintptr_t>(entry.bytes.data()) % (tenon::detail::dtype_bits(entry.dtype) / 8) == 0);

    const auto in_memory = tenon::detail::safetensors_bytes(some_tensors(), metadata);
    const std::string on_disk = read_file(path);
    CHECK(std::ranges::equal(in_memory, std::as_bytes(std::span(on_disk))));
}

TEST_CASE("the data begins at a multiple of 64 bytes, however long the header") {
    for (std::size_t length = 1; length <= 64; ++length) {
        const TensorEntry tensor = make_tensor_entry<float>(std::string(length, 'x'), {6}, floats);
        const auto file = tenon::detail::safetensors_bytes(std::span(&tensor, 1));
        CHECK((file.size() - sizeof(float) * floats.size()) % 64 == 0);
        CHECK(SafetensorsFile(file).values<float>(tensor.name) == floats);
    }
}

TEST_CASE("files of the safetensors package survive being written again") {
    for (const std::string name : {"kinds", "floats", "nothing"}) {
        const SafetensorsFile original(source_file("tests/io/files/" + name + ".safetensors"));
        const auto written = tenon::detail::safetensors_bytes(original.tensors(), original.metadata());
        const SafetensorsFile again(written);
        CHECK(again.metadata() == original.metadata());
        REQUIRE(again.tensors().size() == original.tensors().size());
        for (const TensorEntry& entry : original.tensors()) {
            CHECK(again.at(entry.name).dtype == entry.dtype);
            CHECK(again.at(entry.name).shape == entry.shape);
            CHECK(std::ranges::equal(again.at(entry.name).bytes, entry.bytes));
        }
    }
}

TEST_CASE("tensors that cannot be a file are refused, and the previous file stays") {
    const TemporaryFolder folder;
    const std::string path = folder.file("net.safetensors");
    write_safetensors(path, some_tensors());
    const std::string before = read_file(path);
    const auto error = [&](std::vector<TensorEntry> tensors, const tenon::Metadata& metadata = {}) {
        return error_of([&] { write_safetensors(path, tensors, metadata); });
    };
    const TensorEntry good = make_tensor_entry<float>("a", {2, 3}, floats);

    CHECK(error({good, make_tensor_entry<float>("b", {2, 2}, floats)}) ==
          path + ": tensor \"b\": F32 of shape [2, 2] takes 16 bytes, found 24");
    CHECK(error({good, good}) == path + ": two tensors are named \"a\"");
    CHECK(contains(error({make_tensor_entry<float>("b", {-2, -3}, floats)}), "has a negative dimension"));
    CHECK(contains(error({make_tensor_entry<float>("b", {1L << 62, 1L << 62}, floats)}),
                   "more elements than can be addressed"));
    CHECK(contains(error({TensorEntry{"b", DType::f4, {3}, std::as_bytes(std::span(bytes)).first(2)}}), "whole bytes"));
    CHECK(contains(error({make_tensor_entry<float>("__metadata__", {2, 3}, floats)}),
                   "cannot be named \"__metadata__\""));
    CHECK(contains(error({make_tensor_entry<float>("\xFF", {2, 3}, floats)}), "name of a tensor is not UTF-8"));
    CHECK(contains(error({good}, {{"key", "\xFF"}}), "the metadata is not UTF-8"));
    CHECK(contains(error({good}, {{"key", std::string(100'000'001, 'x')}}), "expected at most 100000000"));
    CHECK(contains(error({make_tensor_entry<float>("b", std::vector<std::int64_t>(65, 1), floats)}),
                   "tensor \"b\": expected at most 64 dimensions, found 65"));
    CHECK(contains(error(std::vector<TensorEntry>(100'001, good)), "100001 tensors; expected at most 100000"));
    tenon::Metadata metadata;
    for (int i = 0; i <= 100'000; ++i) metadata.insert({std::to_string(i), ""});
    CHECK(contains(error({good}, metadata), "100001 texts of metadata; expected at most 100000"));

    CHECK(read_file(path) == before);
    CHECK(names_in(folder.file("")) == std::vector<std::string>{"net.safetensors"});
}

TEST_CASE("a failure of the system leaves the previous file and no other") {
    const TemporaryFolder folder;
    const std::string path = folder.file("net.safetensors");
    write_safetensors(path, some_tensors());
    const std::string before = read_file(path);
    const auto error = [](const std::string& where) {
        return error_of([&] { write_safetensors(where, some_tensors()); });
    };

    CHECK(error(folder.file("no/net")) ==
          folder.file("no/net") + ": cannot create a file in its folder: No such file or directory");
    CHECK(error(folder.file("")) == folder.file("") + ": cannot write the file: it is a folder, pipe or device");
    // Of what is no file a pipe stands for all: were a device replaced here, the machine would lose it.
    const std::string pipe = folder.file("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(error(pipe) == pipe + ": cannot write the file: it is a folder, pipe or device");
    CHECK(std::filesystem::is_fifo(pipe));
    std::filesystem::remove(pipe);
    CHECK(contains(error(std::string("a\0b", 3)), "holds a NUL character"));
    CHECK(contains(error(folder.file(std::string(300, 'x'))), "File name too long"));

    if (::geteuid() != 0) {  // nothing is read-only for root
        ::chmod(folder.file("").c_str(), 0555);
        CHECK(contains(error(path), "cannot create a file in its folder: Permission denied"));
        ::chmod(folder.file("").c_str(), 0755);
    }
    CHECK(read_file(path) == before);
    CHECK(names_in(folder.file("")) == std::vector<std::string>{"net.safetensors"});
}

TEST_CASE("a link to a file that is not there yet is followed, and one that leads in a circle is refused") {
    const TemporaryFolder folder, other;
    const std::string link = folder.file("net.safetensors"), target = other.file("store");
    std::filesystem::create_symlink(target, link);
    write_safetensors(link, some_tensors());
    CHECK(std::filesystem::is_symlink(link));
    CHECK(names_in(other.file("")) == std::vector<std::string>{"store"});
    CHECK(read_file(link) == read_file(target));
    std::filesystem::create_symlink("second", folder.file("first"));  // relative ones, and a chain of them
    std::filesystem::create_symlink("third", folder.file("second"));
    write_safetensors(folder.file("first"), some_tensors());
    CHECK(std::filesystem::is_regular_file(folder.file("third")));
    CHECK(std::filesystem::is_symlink(folder.file("second")));
    std::filesystem::create_symlink("circle", folder.file("circle"));
    CHECK(contains(error_of([&] { write_safetensors(folder.file("circle"), some_tensors()); }),
                   "Too many levels of symbolic links"));
}

TEST_CASE("what a killed writer left is removed by the next one of the same name, and nothing that is being written") {
    const TemporaryFolder folder;
    const std::string path = folder.file("net.safetensors");
    // A child leaves two files, as one does that is killed; the parent is writing a third.
    detail::TemporaryFile written{path};
    if (const pid_t child = ::fork(); child == 0) {
        new detail::TemporaryFile{path};
        new detail::TemporaryFile{folder.file("other")};
        ::_exit(0);
    } else {
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
    }
    CHECK(names_in(folder.file("")).size() == 3);
    write_safetensors(path, some_tensors());
    CHECK(names_in(folder.file("")).size() == 3);  // the new file, the one being written, the one of another name
    CHECK(written.move_to(folder.file("written")));
    write_safetensors(folder.file("other"), some_tensors());
    std::vector<std::string> names = names_in(folder.file(""));
    std::ranges::sort(names);
    CHECK(names == std::vector<std::string>{"net.safetensors", "other", "written"});
}

TEST_CASE("replacing a file keeps its permissions, follows a link, and readers keep what they mapped") {
    const TemporaryFolder folder;
    const std::string path = folder.file("net.safetensors");
    const std::string link = folder.file("link");
    write_safetensors(path, std::vector{make_tensor_entry<std::uint8_t>("bytes", {3}, bytes)});
    ::chmod(path.c_str(), 0640);
    std::filesystem::create_symlink("net.safetensors", link);

    const SafetensorsFile old(path);
    write_safetensors(link, std::vector{make_tensor_entry<float>("floats", {6}, floats)});
    CHECK(std::filesystem::is_symlink(link));
    CHECK(SafetensorsFile(path).values<float>("floats") == floats);
    CHECK(old.values<std::uint8_t>("bytes") == bytes);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0640);

    // A file may even be rewritten from its own tensors.
    const SafetensorsFile current(path);
    write_safetensors(path, current.tensors(), {{"again", "yes"}});
    CHECK(SafetensorsFile(path).values<float>("floats") == floats);
}
