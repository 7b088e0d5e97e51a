#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/data/archives/image_folder.hpp>

#include "../support.hpp"

using tenon_test::contains;
using tenon_test::error_of;

namespace {

void copy_image(const std::string& name, const std::string& to) {
    std::filesystem::create_directories(std::filesystem::path(to).parent_path());
    std::filesystem::copy_file(tenon_test::source_file("tests/image/files/" + name), to);
}

}  // namespace

TEST_CASE("an image folder's classes and files are sorted, and other files left out") {
    const tenon_test::TemporaryFolder folder;
    copy_image("picture.png", folder.file("b/2.PNG"));
    copy_image("full_chroma.jpg", folder.file("b/10.jpeg"));
    copy_image("grey.png", folder.file("b/deeper/1.png"));
    copy_image("picture.png", folder.file("B/x.jpg"));
    copy_image("picture.png", folder.file("b/.hidden.png"));
    copy_image("picture.png", folder.file(".hidden/1.png"));
    copy_image("picture.png", folder.file("loose.png"));
    tenon_test::write_file(folder.file("b/notes.txt"), "no image");
    const tenon::ImageFolder list = tenon::list_image_folder(folder.file(""));
    CHECK(list.classes == std::vector<std::string>{"B", "b"});
    CHECK(list.labels == std::vector<int>{0, 1, 1, 1});
    std::vector<std::string> names;
    for (const auto& file : list.files) names.push_back(std::filesystem::relative(file, folder.file("")).string());
    CHECK(names == std::vector<std::string>{"B/x.jpg", "b/10.jpeg", "b/2.PNG", "b/deeper/1.png"});

    const tenon::ImageDataset dataset = tenon::read_image_folder(list, {.resize = 20, .height = 16, .width = 18});
    CHECK(dataset.shape == tenon::Shape{3, 16, 18});
    CHECK(dataset.labels == list.labels);
    const tenon::Image expected =
        center_crop(tenon::detail::resize_shorter_side(tenon::read_image(folder.file("b/2.PNG")), 20), 16, 18);
    for (int c = 0; c < 3; ++c)
        for (int i = 0; i < 16 * 18; ++i)
            CHECK(dataset.image(2)[static_cast<std::size_t>(288 * c + i)] ==
                  expected.pixels()[static_cast<std::size_t>(3 * i + c)]);
    CHECK(tenon::read_image_folder(list, {.resize = 8, .height = 8, .width = 8, .color = tenon::Color::gray}).shape ==
          tenon::Shape{1, 8, 8});
    tenon_test::write_file(folder.file("b/3.png"), "no image");
    CHECK(
        contains(error_of([&] { tenon::read_image_folder(tenon::list_image_folder(folder.file(""))); }),
                 "b/3.png: expected a " + std::string(tenon::detail::image_kinds) + " file, found an unknown format"));
}

TEST_CASE("what other programs leave in a folder is skipped and counted") {
    const tenon_test::TemporaryFolder folder;
    for (const char* name : {"red/0.jpg", "red/._0.jpg", "red/.DS_Store", "red/Thumbs.db", "red/extra.BMP", "red/notes",
                             "red/.ipynb_checkpoints/0-checkpoint.jpg", "red/.ipynb_checkpoints/1-checkpoint.jpg",
                             "red/deeper/.hidden/1.jpg", "blue/0.jpg", ".ipynb_checkpoints/0.jpg", "README.md"})
        copy_image("full_chroma.jpg", folder.file(name));
    // Links to folders are followed, but not back to where they are, and not twice to the same.
    copy_image("picture.png", folder.file(".elsewhere/more/9.png"));
    copy_image("picture.png", folder.file("red/deeper/1.png"));
    copy_image("picture.png", folder.file("red/z.png"));
    std::filesystem::create_directory_symlink("..", folder.file("red/loop"));
    std::filesystem::create_directory_symlink("../.elsewhere", folder.file("red/b_link"));
    std::filesystem::create_directory_symlink("../.elsewhere/more", folder.file("red/c_link"));
    std::filesystem::create_symlink("absent.jpg", folder.file("red/dangling.jpg"));
    const tenon::ImageFolder list = tenon::list_image_folder(folder.file(""));
    std::vector<std::string> names;
    for (const auto& file : list.files) names.push_back(file.lexically_relative(folder.file("")).string());
    CHECK(names == std::vector<std::string>{"blue/0.jpg", "red/0.jpg", "red/z.png", "red/b_link/more/9.png",
                                            "red/deeper/1.png"});
    CHECK(list.labels == std::vector<int>{0, 1, 1, 1, 1});
    CHECK(list.skipped == std::map<std::string, long>{{".db", 1},
                                                      {".md", 1},
                                                      {".bmp", 1},
                                                      {"hidden", 6},
                                                      {"link that leads back", 2},
                                                      {"no ending", 1},
                                                      {"not a file", 1}});
    CHECK(tenon::detail::skipped_text(list.skipped) ==
          "1 .bmp, 1 .db, 1 .md, 6 hidden, 2 link that leads back, 1 no ending, 1 not a file");
    CHECK(tenon::detail::class_counts(list) == std::vector<long>{1, 4});
    CHECK(tenon::detail::is_image_name("a.WebP") == tenon::detail::reads_webp);
    std::filesystem::create_directory(folder.file("z"));
    std::filesystem::rename(folder.file("red/extra.BMP"), folder.file("z/extra.bmp"));
    CHECK(contains(error_of([&] { tenon::list_image_folder(folder.file("")); }),
                   "z: expected " + std::string(tenon::detail::image_kinds) +
                       " files of the class z, found none (left out so far: 1 .bmp, 1 .db"));
}

TEST_CASE("a split of a folder holds out the same share of each class") {
    tenon::ImageFolder all{.classes = {"a", "b", "c"}, .files = {}, .labels = {}, .root = "photos"};
    const std::vector<int> counts{10, 5, 2};
    for (int label = 0; label < 3; ++label)
        for (int i = 0; i < counts[static_cast<std::size_t>(label)]; ++i) {
            all.files.push_back(all.classes[static_cast<std::size_t>(label)] + "/" + std::to_string(i));
            all.labels.push_back(label);
        }
    const auto [training, validation] = stratified_split(all, 0.2, 3);
    CHECK(tenon::detail::class_counts(training) == std::vector<long>{8, 4, 1});
    CHECK(tenon::detail::class_counts(validation) == std::vector<long>{2, 1, 1});
    CHECK(validation.classes == all.classes);
    std::vector<std::filesystem::path> together = training.files;
    together.insert(together.end(), validation.files.begin(), validation.files.end());
    std::ranges::sort(together);
    CHECK(together == all.files);
    for (const tenon::ImageFolder& part : {training, validation}) {
        CHECK(std::ranges::is_sorted(part.files));
        for (std::size_t i = 0; i < part.files.size(); ++i)
            CHECK(part.files[i].parent_path() == part.classes[static_cast<std::size_t>(part.labels[i])]);
    }
    CHECK(stratified_split(all, 0.2, 3).validation.files == validation.files);
    CHECK(stratified_split(all, 0.2, 4).validation.files != validation.files);
    CHECK(tenon::detail::class_counts(stratified_split(all, 0.5, 3).validation) == std::vector<long>{5, 3, 1});
    CHECK(tenon::detail::class_counts(stratified_split(all, 0.99, 3).training) == std::vector<long>{1, 1, 1});

    // A data set in memory is split alike.
    tenon::ImageDataset images{.shape = {1, 1, 1}, .images = {}, .labels = all.labels};
    for (std::size_t i = 0; i < all.labels.size(); ++i) images.images.push_back(static_cast<std::uint8_t>(i));
    const tenon::DatasetSplit split = stratified_split(images, 0.2, 3);
    CHECK(split.validation.labels == validation.labels);
    for (std::size_t i = 0; i < split.validation.size(); ++i)
        CHECK(all.files[split.validation.images[i]] == validation.files[i]);

    all.files.pop_back();
    all.labels.pop_back();
    CHECK(error_of([&] { stratified_split(all, 0.2); }) ==
          "photos: expected at least 2 images of each class, one to train with and one to validate on, found 1 of the "
          "class c");
    for (const double share : {0.0, 1.0, -0.1, std::numeric_limits<double>::quiet_NaN()})
        CHECK(contains(error_of([&] { stratified_split(all, share); }), "above 0 and below 1 to hold out"));
}

TEST_CASE("a folder without classes or a class without images is refused") {
    const tenon_test::TemporaryFolder folder;
    const auto refusal = [](const std::string& path) { return error_of([&] { tenon::list_image_folder(path); }); };
    CHECK(refusal(folder.file("absent")) ==
          folder.file("absent") + ": expected a folder with a subfolder for each class");
    CHECK(refusal(folder.file("")) == folder.file("") + ": expected a subfolder for each class, found none");
    copy_image("picture.png", folder.file("cats/1.png"));
    std::filesystem::create_directory(folder.file("dogs"));
    CHECK(contains(refusal(folder.file("")), "dogs: expected " + std::string(tenon::detail::image_kinds) +
                                                 " files of the class dogs, found none"));
}
