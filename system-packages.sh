#!/bin/sh
# Installs the system libraries that no Python wheel contains:
#   libodbc.so.2  unixODBC, for pyodbc          libltdl.so.7  for mssql-python
#   libgssapi_krb5.so.2  Kerberos, to which Microsoft's driver links
#   libtdsodbc.so  FreeTDS's ODBC driver, the third driver that the tests use
# Runs apt-get as root; otherwise it prints the command to run.
set -eu

have_library() { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -q "$1"; }
have_freetds() { ls /usr/lib/*/odbc/libtdsodbc.so >/dev/null 2>&1; }

missing=""
have_library libodbc.so.2 || missing="$missing unixodbc"
have_library libltdl.so.7 || missing="$missing libltdl7"
have_library libgssapi_krb5.so.2 || missing="$missing libgssapi-krb5-2"
have_freetds || missing="$missing tdsodbc"
"${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0

install="apt-get install --yes --no-install-recommends$missing"
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing system packages:$missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet=2
  $install --quiet=2 >/dev/null
else
  echo "Missing system packages. Install them, then run make again:" >&2
  echo "    sudo $install" >&2
  exit 1
fi
