#include <doctest/doctest.h>

#include <tenon/core/shape.hpp>

using tenon::Shape;

static_assert(Shape{3, 224, 224}.elements() == 150528);
static_assert(Shape{3, 224, 224}.pixels() == 50176);
static_assert(!Shape{3, 1, 1}.is_flat());
static_assert(Shape{10}.is_flat());
static_assert(Shape{10}.pixels() == 1);
static_assert(Shape{10}.elements() == 10);
static_assert(Shape{10} != Shape{10, 1, 1});

TEST_CASE("a shape prints as its sizes") {
    CHECK(to_string(Shape{3, 224, 112}) == "[3, 224, 112]");
    CHECK(to_string(Shape{10}) == "[10]");
    CHECK(to_string(Shape{10, 1, 1}) == "[10, 1, 1]");
}
