# Every public header, one a line and sorted. A header that isn't listed isn't installed (and the test header_list fails).

set(TENON_HEADERS
    include/tenon/core/error.hpp
    include/tenon/core/isa.hpp
    include/tenon/core/shape.hpp
    include/tenon/io/atomic_file.hpp
    include/tenon/io/dtype.hpp
    include/tenon/io/json.hpp
    include/tenon/io/mapped_file.hpp
    include/tenon/io/safetensors.hpp
    include/tenon/io/safetensors_writer.hpp
    include/tenon/io/tensor_entry.hpp
    include/tenon/version.hpp
)

# The headers of the component tenon::image.
set(TENON_IMAGE_HEADERS
)
