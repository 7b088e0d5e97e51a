#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/data/image_folder.hpp>

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
        center_crop(resize_shorter_side(tenon::read_image(folder.file("b/2.PNG")), 20), 16, 18);
    for (int c = 0; c < 3; ++c)
        for (int i = 0; i < 16 * 18; ++i)
            CHECK(dataset.image(2)[static_cast<std::size_t>(288 * c + i)] ==
                  expected.pixels()[static_cast<std::size_t>(3 * i + c)]);
    CHECK(tenon::read_image_folder(list, {.resize = 8, .height = 8, .width = 8, .color = tenon::Color::grey}).shape ==
          tenon::Shape{1, 8, 8});
    tenon_test::write_file(folder.file("b/3.png"), "no image");
    CHECK(contains(error_of([&] { tenon::read_image_folder(tenon::list_image_folder(folder.file(""))); }),
                   "b/3.png: expected a JPEG or PNG file, found no image format that is known"));
}

TEST_CASE("a folder without classes or a class without images is refused") {
    const tenon_test::TemporaryFolder folder;
    const auto refusal = [](const std::string& path) { return error_of([&] { tenon::list_image_folder(path); }); };
    CHECK(refusal(folder.file("absent")) == folder.file("absent") + ": expected a folder with a subfolder a class");
    CHECK(refusal(folder.file("")) == folder.file("") + ": expected a subfolder for each class, found none");
    copy_image("picture.png", folder.file("cats/1.png"));
    std::filesystem::create_directory(folder.file("dogs"));
    CHECK(contains(refusal(folder.file("")), "dogs: expected JPEG or PNG files of the class dogs, found none"));
}
