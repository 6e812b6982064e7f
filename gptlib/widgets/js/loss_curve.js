// The loss while a cell trains: Python sends the curve as it grows.

import { frame } from "./base.js";
import { chart } from "./chart.js";

export default {
  render({ model, el }) {
    const page = frame({ model, el, name: "Loss by step" });
    const picture = chart({ height: 17 });
    page.picture.append(picture.root);
    const show = () => picture.show(model.get("curve"));
    model.on("change:curve", show);
    show();
    return () => {
      picture.stop();
      page.close();
    };
  },
};
