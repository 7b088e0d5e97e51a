# Every public header, one a line and sorted. A header that isn't listed isn't installed (and the test package.header_list
# fails).

set(TENON_HEADERS
    include/tenon/core/error.hpp
    include/tenon/core/fixed_vector.hpp
    include/tenon/core/isa.hpp
    include/tenon/core/random.hpp
    include/tenon/core/shape.hpp
    include/tenon/data/idx.hpp
    include/tenon/data/image_dataset.hpp
    include/tenon/image/decode_options.hpp
    include/tenon/image/image.hpp
    include/tenon/image/orientation.hpp
    include/tenon/image/preprocess.hpp
    include/tenon/image/resize.hpp
    include/tenon/io/atomic_file.hpp
    include/tenon/io/dtype.hpp
    include/tenon/io/json.hpp
    include/tenon/io/mapped_file.hpp
    include/tenon/io/read_file.hpp
    include/tenon/io/safetensors.hpp
    include/tenon/io/safetensors_writer.hpp
    include/tenon/io/tensor_entry.hpp
    include/tenon/models/fashion_mnist.hpp
    include/tenon/models/naming.hpp
    include/tenon/models/resnet_v1.hpp
    include/tenon/models/resnet_v2.hpp
    include/tenon/program/builder.hpp
    include/tenon/program/kinds.hpp
    include/tenon/program/path.hpp
    include/tenon/program/program.hpp
    include/tenon/program/rejection.hpp
    include/tenon/topology/block.hpp
    include/tenon/topology/combinators.hpp
    include/tenon/topology/convolution.hpp
    include/tenon/topology/diagnosis.hpp
    include/tenon/topology/elementwise.hpp
    include/tenon/topology/facts.hpp
    include/tenon/topology/network.hpp
    include/tenon/topology/options.hpp
    include/tenon/topology/pooling.hpp
    include/tenon/version.hpp
)

# The headers of the component tenon::image.
set(TENON_IMAGE_HEADERS
    include/tenon/data/fashion_mnist.hpp
    include/tenon/data/gzip.hpp
    include/tenon/image/decode.hpp
    include/tenon/image/jpeg.hpp
    include/tenon/image/png.hpp
)
