#!/usr/bin/env bash
# Packs a build of the preset cuda with all that it needs but glibc, libstdc++ and CUDA, mpirun and its plug-ins included, for
# a machine that has a GPU and nothing of ours.
#   validation/gpu/pack.sh OUT.tar.xz [BUILD]
# There: validation/gpu/check.sh OUT.tar.xz
set -euo pipefail

out=${1:?usage: $0 OUT.tar.xz [BUILD]}
build=${2:-build/cuda}
system=/usr/lib/x86_64-linux-gnu
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

mkdir -p "$folder"/{bin,lib,share} "$folder/lib/x86_64-linux-gnu/openmpi/lib" "$folder/lib/x86_64-linux-gnu/pmix2/lib"
for program in tenfold unit_kernels unit_model; do strip -o "$folder/bin/$program" "$build/$program"; done
cp /usr/bin/orterun "$folder/bin/mpirun"
cp /usr/bin/orted "$folder/bin/"
cp -rL "$system/openmpi/lib/openmpi3" "$folder/lib/x86_64-linux-gnu/openmpi/lib/"
cp -rL /usr/share/openmpi "$folder/share/"
cp -rL "$system/pmix2/lib/pmix" "$folder/lib/x86_64-linux-gnu/pmix2/lib/"
cp -r inputs validation/peers "$folder/share/"
# Of the libraries of a GPU machine only the driver and CUDA's own are used.
for file in "$folder"/bin/* "$folder"/lib/x86_64-linux-gnu/*/lib/*/*.so; do ldd "$file" 2>/dev/null || true; done |
  awk '$3 ~ /^\// {print $3}' | sort -u |
  grep -vE '/(libc|libm|libresolv|libstdc\+\+|libgcc_s|libcuda|libcudart|libcublas|libcublasLt|libnccl)\.so' |
  xargs -I{} cp -L {} "$folder/lib/"
git describe --always --abbrev=12 --dirty >"$folder/commit"

# CUDA's libraries are those of the machine's toolkit or of its Python packages.
cat >"$folder/env.sh" <<'ENV'
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
libraries=$root/lib:$(python3 - <<'PYTHON'
import glob, site
print(":".join(sorted({path.rsplit("/", 1)[0] for folder in site.getsitepackages()
                       for path in glob.glob(folder + "/nvidia/**/lib*.so.*", recursive=True)} | {"/usr/local/cuda/lib64"})))
PYTHON
)
export OPAL_PREFIX=$root PMIX_PREFIX=$root PMIX_INSTALL_PREFIX=$root PATH=$root/bin:$PATH
export OMPI_MCA_plm=isolated OMPI_MCA_plm_rsh_agent=/bin/sh OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ENV
tar c -C "$folder" . | xz -T0 -3 >"$out"
ls -l "$out"
