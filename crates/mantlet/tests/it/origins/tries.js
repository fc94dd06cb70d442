// What a page may try; each answers what the page sees. SHOP is an origin, TOKEN a user's.

const form = () => new URLSearchParams({email: "a@mail.example"});
const order = JSON.stringify({product_id: 1, quantity: 1, address: "here"});
const json = {"content-type": "application/json"};
const fetches = {
    "GET":              ["/orders", {}],
    "GET dots":         ["/products/..%2forders", {}],
    "GET header":       ["/orders", {headers: {"x-custom": "1"}}],
    "GET bearer":       ["/orders", {headers: {authorization: "Bearer " + TOKEN}}],
    "POST form":        ["/users/me/email", {method: "POST", body: form()}],
    "POST form no-cors": ["/users/me/email", {method: "POST", body: form(), mode: "no-cors"}],
    "POST text":        ["/orders", {method: "POST", body: order}],
    "POST json":        ["/orders", {method: "POST", body: order, headers: json}],
    "PATCH json":       ["/users/me", {method: "PATCH", body: '{"email": "b@mail.example"}', headers: json}],
    "DELETE":           ["/admin/products/99", {method: "DELETE"}],
};

async function tryFetch(name, credentials, cell) {
    const [path, options] = fetches[name];
    try {
        const answer = await fetch(SHOP + path + "?cell=" + cell, {...options, credentials});
        if (answer.type === "opaque") return "opaque";
        const body = await answer.text();
        const code = body.startsWith("{") ? JSON.parse(body).code : undefined;
        return [answer.status, code].filter(Boolean).join(" ");
    } catch (error) {
        return "network error";
    }
}

function trySocket(cell) {
    const socket = new WebSocket(SHOP.replace("http", "ws") + "/chat?cell=" + cell);
    return new Promise((resolve) => {
        socket.onopen = () => socket.send("hello");
        socket.onmessage = (event) => { resolve("says " + event.data); socket.close(); };
        socket.onclose = (event) => resolve("closed " + event.code);
    });
}

// The same in a frame that may run scripts and has no origin.
function inSandbox(attempt) {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    const source = document.getElementById("tries").text;
    frame.srcdoc = `<script>${source}; ${attempt}.then((seen) => parent.postMessage(seen, "*"));</` + "script>";
    const told = new Promise((resolve) => window.addEventListener("message", (event) => resolve(event.data), {once: true}));
    document.body.append(frame);
    return told.finally(() => frame.remove());
}

function submit(kind, cell) {
    const form = document.createElement("form");
    form.method = "POST";
    if (kind === "urlencoded") {
        form.action = SHOP + "/users/me/email?cell=" + cell;
        form.innerHTML = '<input name="email" value="c@mail.example">';
    } else {
        form.action = SHOP + "/products/1/picture?cell=" + cell;
        form.enctype = "multipart/form-data";
        form.innerHTML = '<input name="picture" type="file">';
        const files = new DataTransfer();
        files.items.add(new File(["a longbow"], "longbow.txt"));
        form.firstChild.files = files.files;
    }
    document.body.append(form);
    form.submit();
}
