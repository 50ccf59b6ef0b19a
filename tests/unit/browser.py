"""A headless browser for tests, by the WebDriver protocol; with no library beside the standard."""

import base64
import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars"),
]


class Browser:
    """A session of a running driver."""

    def __init__(self, port: int, profile: str) -> None:
        self.root = f"http://127.0.0.1:{port}"
        wanted = {
            "goog:chromeOptions": {
                "binary": BROWSER,
                "args": [*QUIET, f"--user-data-dir={profile}"],
            },
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.root += f"/session/{made['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["value"]

    def close(self) -> None:
        self._ask("DELETE", "")

    def show(self, page: Path, width: int, dark: bool = False) -> None:
        """Open a file in a window so wide."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", {"features": [scheme]})
        self._ask("POST", "/url", {"url": page.resolve().as_uri()})

    def command(self, name: str, parameters: dict[str, Any]) -> Any:
        """A command of the browser's own protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def run(self, script: str) -> Any:
        """What a script returns; the page's own policy does not bind it."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def picture(self) -> bytes:
        """The whole page as PNG."""
        shot = self.command("Page.captureScreenshot", {"captureBeyondViewport": True})
        return base64.b64decode(shot["data"])

    def requested(self) -> list[str]:
        """Addresses asked for since this was last asked."""
        logs = self._ask("POST", "/se/log", {"type": "performance"})
        events = [json.loads(line["message"])["message"] for line in logs]
        return [
            e["params"]["request"]["url"]
            for e in events
            if e["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """What the browser says against the page."""
        return [line["message"] for line in self._ask("POST", "/se/log", {"type": "browser"})]


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with an empty profile, ended with all its processes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [str(DRIVER), "--port=0"]
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert driver.stdout is not None
            line = next(line for line in driver.stdout if "successfully on port" in line)
            session = Browser(int(line.rstrip().rstrip(".").rsplit(" ", 1)[1]), profile)
            try:
                yield session
            finally:
                session.close()
        finally:
            driver.terminate()
            driver.wait()
            assert driver.stdout is not None
            driver.stdout.close()
