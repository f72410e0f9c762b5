# tcop-mock in a container: docker build -t tcop-mock . && docker run --rm -p 8080:8080 tcop-mock
# Everything is installed from requirements/run.txt, with hashes; the second stage has neither pip nor sources.

FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements/run.txt requirements/run.txt
RUN python -m venv --without-pip /opt/tcop-mock \
    && python -m pip --python /opt/tcop-mock/bin/python install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY tcop_mock tcop_mock
COPY payload_catalog payload_catalog
COPY contracts contracts
RUN python -m pip --python /opt/tcop-mock/bin/python install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
LABEL org.opencontainers.image.title="tcop-mock" \
      org.opencontainers.image.description="Alarm callbacks of Tencent Cloud for tests, and a contract for their receivers" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin tcop-mock
COPY --from=build /opt/tcop-mock /opt/tcop-mock
ENV PATH="/opt/tcop-mock/bin:$PATH"
WORKDIR /data
USER 10001
EXPOSE 8080
# Of listen; other verbs end before it matters.
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=2); c.request('GET', '/__tcop-mock/readyz'); assert c.getresponse().status == 200"]
ENTRYPOINT ["tcop-mock"]
CMD ["listen", "--host", "0.0.0.0", "--port", "8080"]
